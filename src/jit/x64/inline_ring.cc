// Records of ring buffers, reserved and given back in place of the calls: the steps of maps::RingMap, in its order of
// stores, where they are few. Everything else is the call's, which finds everything as if nobody had looked.
#include "jit/x64/compiler.h"

namespace skep::jit::x64 {

using Ring = maps::Recipe::Ring;

// Registers that are free where a record is reserved: those of arguments, and the scratch registers.
constexpr Reg kThread = Reg::Rdi, kState = Reg::R10, kData = Reg::R11;
constexpr Reg kConsumed = Reg::Rcx, kBegin = Reg::Rsi, kPending = Reg::Rdx, kEnd = Reg::R9, kPlace = Reg::R8;

namespace {

// The bits of a position that say where in the data it is.
std::int32_t place_bits(const Ring& ring) {
  return static_cast<std::int32_t>(ring.mask & ~static_cast<std::uint32_t>(Ring::kAlignment - 1));
}

}  // namespace

// Where the run holds no other record, the lock is free, nobody writes a record and there is room. Whoever reserves
// next finds the oldest record that is not known to be complete: the last one, mostly.
void Compiler::reserve_record(const InlinedCall& call, const Ways& ways) {
  const Ring& ring = call.recipe->ring;
  const Label elsewhere = call_later(call, ways).label;
  const Label locked = cold_calls_.back().aside = a_.label();
  if (order_.owner == 0) return a_.jump(elsewhere);
  a_.alu(Alu::Cmp, Width::W64, field(kCallOffsets.reservations), 0);
  a_.jump(Condition::NE, elsewhere);
  lock_ring(ring, elsewhere);
  a_.load(Width::W64, kBegin, Mem{kData, Ring::kProducerAt});
  pass_record(ring, locked);
  a_.lea(Width::W64, kEnd, Mem{kBegin, static_cast<std::int32_t>(Ring::record_bytes(call.bytes))});
  a_.mov(Width::W64, Reg::Rax, kEnd);
  a_.alu(Alu::Sub, Width::W64, Reg::Rax, kConsumed);
  a_.alu(Alu::Cmp, Width::W64, Reg::Rax, static_cast<std::int32_t>(ring.mask));
  a_.jump(Condition::A, locked);
  write_record(ring, call.bytes);
  a_.store(Width::W64, field(kCallOffsets.reserved), Reg::Rax);
  a_.mov(kScratch, reinterpret_cast<std::uint64_t>(call.recipe->map));
  a_.store(Width::W64, field(kCallOffsets.reserved_from), kScratch);
  a_.store(Width::W64, field(kCallOffsets.reservations), 1);
  go_on(ways);
}

// As maps::try_lock() does. kConsumed becomes the consumer's position from before that, as whoever waits for the lock
// sees it move on.
void Compiler::lock_ring(const Ring& ring, Label elsewhere) {
  a_.load_of_thread(Width::W32, kThread, order_.owner);
  a_.test(Width::W32, kThread, kThread);
  a_.jump(Condition::E, elsewhere);
  a_.mov(kData, ring.data);
  a_.mov(kState, ring.state);
  a_.load(Width::W64, kConsumed, Mem{kData, Ring::kConsumerAt});
  a_.mov(Reg::Rax, 0);
  a_.lock();
  a_.cmpxchg(Width::W32, Mem{kState, 0}, kThread);
  a_.jump(Condition::NE, elsewhere);
}

// Goes elsewhere unless everything before kBegin is complete: there is nothing between the oldest record that may be
// written and it, or that one alone.
void Compiler::pass_record(const Ring& ring, Label elsewhere) {
  constexpr std::uint32_t kLength = ~(Ring::kBusy | Ring::kDiscarded);
  constexpr auto kAlignment = static_cast<std::int32_t>(Ring::kAlignment);
  const Label passed = a_.label();
  a_.load(Width::W64, kPending, Mem{kState, Ring::kPendingAt});
  a_.alu(Alu::Cmp, Width::W64, kPending, kBegin);
  a_.jump(Condition::E, passed);
  a_.mov(Width::W32, kPlace, kPending);
  a_.alu(Alu::And, Width::W32, kPlace, place_bits(ring));
  a_.load(Width::W32, Reg::Rax, Indexed{kData, kPlace, 0, 0});
  a_.test(Width::W32, Reg::Rax, Reg::Rax);
  const std::uint32_t busy = a_.skip(Condition::S);
  a_.alu(Alu::And, Width::W32, Reg::Rax, static_cast<std::int32_t>(kLength));
  a_.alu(Alu::Add, Width::W32, Reg::Rax, Ring::kRecordHeader + kAlignment - 1);
  a_.alu(Alu::And, Width::W32, Reg::Rax, -kAlignment);
  a_.alu(Alu::Add, Width::W64, kPending, Reg::Rax);
  a_.alu(Alu::Cmp, Width::W64, kPending, kBegin);
  a_.land(busy);
  a_.jump(Condition::NE, elsewhere);
  a_.bind(passed);
}

// From kBegin to kEnd; the lock is given back. rax becomes where its data are.
void Compiler::write_record(const Ring& ring, std::uint32_t bytes) {
  a_.store(Width::W32, Mem{kState, Ring::kStallsAt}, 0);
  a_.store(Width::W64, Mem{kState, Ring::kPendingAt}, kBegin);
  a_.mov(Width::W32, Reg::Rax, kBegin);
  a_.alu(Alu::And, Width::W32, Reg::Rax, place_bits(ring));
  a_.alu(Alu::Add, Width::W64, Reg::Rax, kData);
  a_.store(Width::W32, Mem{Reg::Rax, Ring::kOwnerAt}, kThread);
  a_.store(Width::W32, Mem{Reg::Rax, 0}, static_cast<std::int32_t>(bytes | Ring::kBusy));
  a_.store(Width::W64, Mem{kData, Ring::kProducerAt}, kEnd);
  a_.store(Width::W32, Mem{kState, 0}, 0);
  a_.alu(Alu::Add, Width::W64, Reg::Rax, Ring::kRecordHeader);
}

void Compiler::reserve_by_call(const ColdCall& cold) {
  a_.bind(cold.aside);
  if (order_.owner != 0) a_.store(Width::W32, Mem{kState, 0}, 0);
  call_for_value(cold);
}

// Of the record in r1, if it is the only one of the run. Where somebody may have to be woken its ring buffer must be
// the one that is expected.
void Compiler::give_record_back(const InlinedCall& call, Giving how) {
  const Label elsewhere = call_later(call, behind(call.slot)).label;
  const Label waits = cold_calls_.back().aside = a_.label();
  const Mem length{reg(1), -Ring::kRecordHeader};
  a_.alu(Alu::Cmp, Width::W64, field(kCallOffsets.reservations), 1);
  a_.jump(Condition::NE, elsewhere);
  a_.alu(Alu::Cmp, Width::W64, reg(1), field(kCallOffsets.reserved));
  a_.jump(Condition::NE, elsewhere);
  if (call.recipe != nullptr) {
    a_.mov(kScratch, reinterpret_cast<std::uint64_t>(call.recipe->map));
    a_.alu(Alu::Cmp, Width::W64, kScratch, field(kCallOffsets.reserved_from));
    a_.jump(Condition::NE, elsewhere);
  }
  a_.store(Width::W64, field(kCallOffsets.reservations), 0);
  a_.load(Width::W32, Reg::Rax, length);
  a_.alu(Alu::And, Width::W32, Reg::Rax, static_cast<std::int32_t>(~Ring::kBusy));
  if (how == Giving::Discard) a_.alu(Alu::Or, Width::W32, Reg::Rax, static_cast<std::int32_t>(Ring::kDiscarded));
  if (call.recipe == nullptr) {
    a_.store(Width::W32, length, Reg::Rax);
  } else {
    const Ring& ring = call.recipe->ring;
    a_.xchg(Width::W32, length, Reg::Rax);
    a_.mov(kData, ring.data);
    a_.load(Width::W32, Reg::Rax, Mem{kData, Ring::kConsumerAt});
    a_.alu(Alu::And, Width::W32, Reg::Rax, static_cast<std::int32_t>(ring.mask));
    a_.lea(Width::W64, Reg::Rax, Indexed{kData, Reg::Rax, 0, Ring::kRecordHeader});
    a_.alu(Alu::Cmp, Width::W64, Reg::Rax, reg(1));
    a_.jump(Condition::E, waits);
  }
  if (!dead_after(call.slot, 0)) a_.mov(Reg::Rax, 0);
}

void Compiler::wake_or_call(const ColdCall& cold) {
  a_.bind(cold.aside);
  if (cold.call.recipe != nullptr) {
    a_.mov(Reg::Rdi, reinterpret_cast<std::uint64_t>(cold.call.recipe->map));
    call_address(reinterpret_cast<std::uint64_t>(cold.call.recipe->ring.wake));
    a_.mov(Reg::Rax, 0);
    a_.jump(cold.ways.found);
  }
  call_for_value(cold);
}

}  // namespace skep::jit::x64
