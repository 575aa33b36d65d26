// Helpers that are a few instructions: written where they are called, as inlined_calls.cc found.
#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <optional>
#include <utility>

#include "exec/packet_view.h"
#include "jit/x64/compiler.h"
#include "spec/helpers.h"
#include "spec/uapi.h"

namespace skep::jit::x64 {

using Chunks = maps::Recipe::Chunks;
using spec::HelperId;

// How many slots were done: the call, and perhaps what comes behind it.
std::uint32_t Compiler::write_inline(const At& at) {
  const InlinedCall& call = survey_.inlined_at(at.slot);
  const Ways ways = ways_behind(at.slot);
  switch (static_cast<HelperId>(at.insn.imm)) {
    case HelperId::get_smp_processor_id: return a_.load(Width::W32, Reg::Rax, field(kCallOffsets.cpu)), 1;
    case HelperId::get_prandom_u32: return draw_random(call), 1;
    case HelperId::ktime_get_ns: return read_clock(at, exec::Clock::Monotonic), 1;
    case HelperId::ktime_get_boot_ns: return read_clock(at, exec::Clock::Boot), 1;
    case HelperId::ktime_get_coarse_ns: return read_clock(at, exec::Clock::Coarse), 1;
    case HelperId::ktime_get_tai_ns: return read_clock(at, exec::Clock::Tai), 1;
    case HelperId::xdp_load_bytes: return copy_packet(call, Copying::FromPacket), 1;
    case HelperId::xdp_store_bytes: return copy_packet(call, Copying::ToPacket), 1;
    case HelperId::strncmp: return compare_text(call), 1;
    case HelperId::csum_diff: return compare_checksums(call), 1;
    case HelperId::loop: return loop(call), 1;
    case HelperId::tail_call: return tail_call(call), 1;
    case HelperId::map_update_elem: return call_of_table(*call.recipe, call.recipe->update), 1;
    case HelperId::map_delete_elem: return call_of_table(*call.recipe, call.recipe->erase), 1;
    case HelperId::ringbuf_reserve: return reserve_record(call, ways), ways.slots;
    case HelperId::ringbuf_submit: return give_record_back(call, Giving::Submit), 1;
    case HelperId::ringbuf_discard: return give_record_back(call, Giving::Discard), 1;
    default: break;
  }
  if (call.recipe == nullptr)
    find_in_unknown(call, ways);
  else if (call.recipe->references)
    find_inner_map(call, ways);
  else if (call.recipe->find == nullptr)
    index_element(call, ways);
  else if (call.recipe->chunks.count != 0)
    find_in_chunks(call, ways);
  else
    return find_element(*call.recipe), 1;
  return ways.slots;
}

// ---- Where to go on

Compiler::Ways Compiler::behind(std::uint32_t slot) const {
  return {.found = label_of(slot + 1), .null = label_of(slot + 1)};
}

// Programs compare with null behind a look-up, which knows.
Compiler::Ways Compiler::ways_behind(std::uint32_t slot) const {
  const std::uint32_t next = slot + 1;
  const bool compares = follows(next) && (survey_.ops[next] == Op::JEq64Imm || survey_.ops[next] == Op::JNe64Imm) &&
                        insn(next).dst == 0 && insn(next).imm == 0 && order_.counting == Counting::No;
  if (!compares) return behind(slot);
  const Label elsewhere = label_of(*isa::jump_target(survey_.ops[next], insn(next), next));
  if (survey_.ops[next] == Op::JEq64Imm) return {.found = label_of(next + 1), .null = elsewhere, .slots = 2};
  return {.found = elsewhere, .null = label_of(next + 1), .found_is_behind = false, .slots = 2};
}

void Compiler::go_on(const Ways& ways) {
  if (!ways.found_is_behind) a_.jump(ways.found);
}

// ---- The call itself, where its place cannot do without

const Compiler::ColdCall& Compiler::call_later(const InlinedCall& call, const Ways& ways) {
  cold_calls_.push_back({a_.label(), call, ways});
  return cold_calls_.back();
}

void Compiler::write_cold_calls() {
  for (const ColdCall& cold : cold_calls_) {
    a_.reserve();
    slot_ = cold.call.slot;
    note_piece(slot_);
    const bool searches = cold.call.recipe != nullptr && cold.call.recipe->find != nullptr;
    switch (static_cast<HelperId>(insn(slot_).imm)) {
      case HelperId::tail_call: call_for_tail(cold); break;
      case HelperId::ringbuf_reserve: reserve_by_call(cold); break;
      case HelperId::ringbuf_submit:
      case HelperId::ringbuf_discard: wake_or_call(cold); break;
      default: searches ? find_further(cold) : call_for_value(cold);
    }
  }
  cold_calls_.clear();
}

// Arguments that are known have been left out.
void Compiler::call_for_value(const ColdCall& cold) {
  const InlinedCall& call = cold.call;
  a_.bind(cold.label);
  for (const InlinedCall::Argument& known : call.known)
    if (known.number != 0) a_.mov(reg(known.number), known.value);
  if (call.key_in_frame != InlinedCall::kNotInFrame) a_.lea(Width::W64, reg(2), Mem{Reg::Rbp, call.key_in_frame});
  call_body(order_.values[call.slot]);
  if (cold.ways.null.id != cold.ways.found.id) {
    a_.test(Width::W64, Reg::Rax, Reg::Rax);
    a_.jump(Condition::E, cold.ways.null);
  }
  a_.jump(cold.ways.found);
}

void Compiler::call_for_tail(const ColdCall& cold) {
  a_.bind(cold.label);
  a_.mov(reg(2), reinterpret_cast<std::uint64_t>(cold.call.recipe->map));
  if (cold.call.index.is_constant()) a_.mov(reg(3), cold.call.index.least);
  tail_call_by_service(cold.ways.null);
}

// ---- Look-ups

// The index goes to kScratch.
void Compiler::load_index(const InlinedCall& call) {
  if (call.index.is_constant()) return a_.mov(kScratch, call.index.least);
  if (call.index.reg != Index::kNone) return a_.mov(Width::W32, kScratch, reg(call.index.reg));
  const bool in_frame = call.key_in_frame != InlinedCall::kNotInFrame;
  a_.load(Width::W32, kScratch, in_frame ? Mem{Reg::Rbp, call.key_in_frame} : Mem{reg(2), 0});
}

// As load_index(); goes to `none` with 0 in rax where an array has no such element.
void Compiler::load_index_inside(const InlinedCall& call, Label none) {
  load_index(call);
  if (call.index.most < call.recipe->entries) return;
  a_.mov(Reg::Rax, 0);
  a_.alu(Alu::Cmp, Width::W32, kScratch, static_cast<std::int32_t>(call.recipe->entries));
  a_.jump(Condition::AE, none);
  if (order_.image.masks_indices) mask_index();
}

// The index in kScratch was compared with its limit, and is inside: where that was only guessed it becomes 0.
void Compiler::mask_index() {
  a_.alu(Alu::Sbb, Width::W32, kScratch2, kScratch2);
  a_.alu(Alu::And, Width::W32, kScratch, kScratch2);
}

// An element of an array: its address from the index, null where it is behind the end.
void Compiler::index_element(const InlinedCall& call, const Ways& ways) {
  const maps::Recipe& recipe = *call.recipe;
  const bool inside = call.index.most < recipe.entries;
  if (inside && call.index.is_constant()) {
    a_.mov(Reg::Rax, recipe.base + recipe.stride * call.index.least);
  } else {
    const bool scales = std::has_single_bit(recipe.stride) && recipe.stride <= 8;
    const bool stays = inside && scales && call.index.is_whole && call.index.reg != 0;
    if (!stays) load_index_inside(call, ways.null);
    a_.mov(Reg::Rax, recipe.base);
    if (!scales) scale(kScratch, recipe.stride);
    const auto log = static_cast<std::uint8_t>(scales ? std::countr_zero(recipe.stride) : 0);
    a_.lea(Width::W64, Reg::Rax, Indexed{Reg::Rax, stays ? reg(call.index.reg) : kScratch, log, 0});
  }
  add_cpu(recipe);
  go_on(ways);
}

// Multiplies, and may use kScratch2.
void Compiler::scale(Reg what, std::uint64_t by) {
  if (fits_s32(static_cast<std::int64_t>(by)))
    return multiply(Width::W64, 0, what, {false, what, static_cast<std::int32_t>(by)});
  a_.mov(kScratch2, by);
  a_.imul(Width::W64, what, kScratch2);
}

// From the element of CPU 0, whose address is in rax, to that of the CPU the program runs on.
void Compiler::add_cpu(const maps::Recipe& recipe) {
  if (recipe.per_cpu == 0) return;
  a_.load(Width::W32, kScratch, field(kCallOffsets.cpu));
  scale(kScratch, recipe.per_cpu);
  a_.alu(Alu::Add, Width::W64, Reg::Rax, kScratch);
}

// An element of a hash map: its function is called past the helper's body; the key is in rdx for both.
void Compiler::find_element(const maps::Recipe& recipe) {
  call_of_table(recipe, recipe.find);
  if (recipe.per_cpu == 0) return;
  a_.test(Width::W64, Reg::Rax, Reg::Rax);
  const std::uint32_t none = a_.skip(Condition::E);
  add_cpu(recipe);
  a_.land(none);
}

// A function of the map, with the helper's arguments but for the first.
template <class Function>
void Compiler::call_of_table(const maps::Recipe& recipe, Function body) {
  a_.mov(Reg::Rdi, reinterpret_cast<std::uint64_t>(recipe.table));
  call_address(reinterpret_cast<std::uint64_t>(body));
}

// Registers that are free where a hash map is searched: those of arguments, all but r2's.
constexpr Reg kWord = Reg::R8, kSecondWord = Reg::Rdi, kKeyAddress = Reg::R9, kControl = Reg::R10, kChunk = Reg::Rcx,
              kGeneration = Reg::Rsi;

// An element of a hash map whose keys are one word or two (maps/hash_table.h): the first slot of the key's home that
// has its tag. Where another one is wanted, a call finds it.
void Compiler::find_in_chunks(const InlinedCall& call, const Ways& ways) {
  const maps::Recipe::Chunks& chunks = call.recipe->chunks;
  const std::uint32_t step = chunks.slot_bytes / 8;  // a slot's bit in sets of slots is 8 * slot + 7
  const bool two_words = chunks.key_size == 16;
  const std::int32_t key_bytes = two_words ? 16 : 8;
  const std::int32_t value_at = static_cast<std::int32_t>(Chunks::kHeaderBytes - 7 * step) + key_bytes;
  const ColdCall& cold = call_later(call, ways);
  cold_calls_.back().aside = a_.label();
  load_key(call);
  load_home(chunks);
  a_.reserve();
  a_.load(Width::W32, kGeneration, Mem{kChunk, Chunks::kGenerationAt});
  a_.load(Width::W64, kControl, Mem{kChunk, 0});
  a_.alu(Alu::Or, Width::W32, Reg::Rdx, Chunks::kTagBit);  // the hash's tag, and the slots that match it
  a_.movzx(Width::W8, Reg::Rdx, Reg::Rdx);
  a_.mov(kScratch, Chunks::kOnes);
  a_.imul(Width::W64, Reg::Rdx, kScratch);
  a_.alu(Alu::Xor, Width::W64, Reg::Rdx, kControl);
  a_.mov(Width::W64, Reg::Rax, Reg::Rdx);
  a_.alu(Alu::Sub, Width::W64, Reg::Rax, kScratch);
  a_.unary(Unary::Not, Width::W64, Reg::Rdx);
  a_.alu(Alu::And, Width::W64, Reg::Rax, Reg::Rdx);
  a_.shift(x64::Shift::Shl, Width::W64, kScratch, 7);
  a_.alu(Alu::And, Width::W64, Reg::Rax, kScratch);
  a_.jump(Condition::E, cold.aside);
  a_.trailing_zeros(Width::W64, Reg::Rax, Reg::Rax);
  const bool scales = std::has_single_bit(step) && step <= 8;
  if (!scales) a_.imul(Width::W32, Reg::Rax, Reg::Rax, static_cast<std::int32_t>(step));
  const auto log = static_cast<std::uint8_t>(scales ? std::countr_zero(step) : 0);
  a_.lea(Width::W64, Reg::Rax, Indexed{kChunk, Reg::Rax, log, value_at});
  a_.alu(Alu::Cmp, Width::W64, kWord, Mem{Reg::Rax, -key_bytes});
  a_.jump(Condition::NE, cold.label);
  if (two_words) {
    a_.alu(Alu::Cmp, Width::W64, kSecondWord, Mem{Reg::Rax, -8});
    a_.jump(Condition::NE, cold.label);
  }
  if (two_words || chunks.given_back) {
    a_.alu(Alu::Cmp, Width::W32, kGeneration, Mem{kChunk, Chunks::kGenerationAt});
    a_.jump(Condition::NE, cold.label);
  }
  add_cpu(*call.recipe);
  go_on(ways);
}

// rax and kWord become the key's word, as maps::load_halves() loads it, kSecondWord the second if there is one. Where
// the key is goes to kKeyAddress unless the frame tells.
void Compiler::load_key(const InlinedCall& call) {
  const bool in_frame = call.key_in_frame != InlinedCall::kNotInFrame;
  const Mem key = in_frame ? Mem{Reg::Rbp, call.key_in_frame} : Mem{reg(2), 0};
  if (!in_frame) a_.mov(Width::W64, kKeyAddress, reg(2));
  if (call.recipe->chunks.key_size == 4)
    a_.load(Width::W32, Reg::Rax, key);
  else
    load_halves(Reg::Rax, key);
  if (call.recipe->chunks.key_size == 16) load_halves(kSecondWord, Mem{key.base, key.offset + 8});
  a_.mov(Width::W64, kWord, Reg::Rax);
}

void Compiler::load_halves(Reg to, Mem from) {
  a_.load(Width::W32, to, from);
  a_.load(Width::W32, kScratch, Mem{from.base, from.offset + 4});
  a_.shift(x64::Shift::Shl, Width::W64, kScratch, 32);
  a_.alu(Alu::Or, Width::W64, to, kScratch);
}

// From the word in rax, and the second: kChunk becomes its home's address, rdx its hash, as maps::WordHash says.
void Compiler::load_home(const maps::Recipe::Chunks& chunks) {
  a_.mov(kScratch, chunks.hash.seed);
  a_.alu(Alu::Xor, Width::W64, Reg::Rax, kScratch);
  a_.mov(kScratch, chunks.hash.multiplier);
  if (chunks.key_size == 16) a_.alu(Alu::Xor, Width::W64, kScratch, kSecondWord);
  a_.unary(Unary::Mul, Width::W64, kScratch);
  a_.alu(Alu::Xor, Width::W64, Reg::Rdx, Reg::Rax);
  a_.mov(Width::W64, kChunk, Reg::Rdx);
  a_.shift(x64::Shift::Shr, Width::W64, kChunk, 32);
  a_.imul(Width::W64, kChunk, kChunk, static_cast<std::int32_t>(chunks.count));
  a_.shift(x64::Shift::Shr, Width::W64, kChunk, 32);
  scale(kChunk, chunks.bytes);
  a_.mov(kScratch, chunks.base);
  a_.alu(Alu::Add, Width::W64, kChunk, kScratch);
}

// Of what find_in_chunks() left: where the home has no such tag, the key is absent if nothing went past it and nothing
// changed meanwhile. Everything else is the function's.
void Compiler::find_further(const ColdCall& cold) {
  const InlinedCall& call = cold.call;
  const maps::Recipe& recipe = *call.recipe;
  a_.bind(cold.aside);
  a_.shift(x64::Shift::Shr, Width::W64, kControl, Chunks::kPassedAt);
  a_.jump(Condition::NE, cold.label);
  a_.alu(Alu::Cmp, Width::W32, Mem{kChunk, Chunks::kGenerationAt}, kGeneration);
  a_.jump(Condition::NE, cold.label);
  a_.mov(Reg::Rax, 0);
  a_.jump(cold.ways.null);
  a_.bind(cold.label);
  if (call.key_in_frame != InlinedCall::kNotInFrame)
    a_.lea(Width::W64, reg(2), Mem{Reg::Rbp, call.key_in_frame});
  else
    a_.mov(Width::W64, reg(2), kKeyAddress);
  find_element(recipe);
  if (cold.ways.null.id != cold.ways.found.id) {
    a_.test(Width::W64, Reg::Rax, Reg::Rax);
    a_.jump(Condition::E, cold.ways.null);
  }
  a_.jump(cold.ways.found);
}

// An element of a map of which nothing is known but its address, in r1: perhaps it is an array.
void Compiler::find_in_unknown(const InlinedCall& call, const Ways& ways) {
  load_index(call);
  a_.alu(Alu::Cmp, Width::W32, kScratch, Mem{reg(1), kOtherOffsets.entries});
  a_.jump(Condition::AE, call_later(call, ways).label);
  if (order_.image.masks_indices) mask_index();
  a_.imul(Width::W64, kScratch, Mem{reg(1), kOtherOffsets.stride});
  a_.load(Width::W64, Reg::Rax, Mem{reg(1), kOtherOffsets.base});
  a_.alu(Alu::Add, Width::W64, Reg::Rax, kScratch);
  go_on(ways);
}

// The map in a slot of an array of maps.
void Compiler::find_inner_map(const InlinedCall& call, const Ways& ways) {
  const Label unknown = call_later(call, ways).label;
  if (order_.known.maps == nullptr) return a_.jump(unknown);
  load_slot(call, ways.null);
  a_.test(Width::W64, Reg::Rax, Reg::Rax);
  a_.jump(Condition::E, ways.null);
  load_known(order_.known.maps, unknown);
  a_.load(Width::W64, Reg::Rax, Mem{kScratch, kOtherOffsets.object});
  go_on(ways);
}

// rax becomes the reference in the slot of an array, which is 0 where there is none; behind its end the code goes to
// `none`.
void Compiler::load_slot(const InlinedCall& call, Label none) {
  const maps::Recipe& recipe = *call.recipe;
  if (call.index.is_constant() && call.index.most < recipe.entries) {
    a_.load_rax(recipe.base + recipe.stride * call.index.least);
  } else {
    load_index_inside(call, none);
    a_.mov(Reg::Rax, recipe.base);
    a_.load(Width::W64, Reg::Rax, Indexed{Reg::Rax, kScratch, 3, 0});
  }
}

// kScratch becomes the address of the exec::Known of the reference in rax; uses kScratch2.
void Compiler::load_known(const exec::KnownSlot* table, Label unknown) {
  a_.mov(Width::W32, kScratch2, Reg::Rax);  // the id
  a_.alu(Alu::And, Width::W32, kScratch2, static_cast<std::int32_t>(exec::kKnownSlots - 1));
  a_.mov(kScratch, reinterpret_cast<std::uint64_t>(table));
  a_.load(Width::W64, kScratch, Indexed{kScratch, kScratch2, 3, 0});
  a_.alu(Alu::Cmp, Width::W64, Reg::Rax, Mem{kScratch, kOtherOffsets.reference});
  a_.jump(Condition::NE, unknown);
}

// Goes on in the program in slot r3 of a known array, if it is compiled and known here. Code that counts goes on in
// code that does, which the service finds. A program that may be run without the guard goes on by itself only in those
// that may, too.
void Compiler::tail_call(const InlinedCall& call) {
  const Ways ways = behind(call.slot);
  const Label unknown = call_later(call, ways).label;
  if (order_.known.programs == nullptr || order_.counting == Counting::Yes) return a_.jump(unknown);
  a_.alu(Alu::Cmp, Width::W32, field(kCallOffsets.tail_calls), static_cast<std::int32_t>(isa::kMaxTailCalls));
  a_.jump(Condition::AE, ways.null);
  load_slot(call, ways.null);
  const std::uint32_t shape = function_ == survey_.functions.data() ? frame_shape() : 0;
  if (shape != 0 && order_.found_as != 0) go_on_in_itself();
  a_.test(Width::W64, Reg::Rax, Reg::Rax);
  a_.jump(Condition::E, ways.null);
  load_known(order_.known.programs, unknown);
  const std::uint32_t unstopped = survey_.callbacks || tails_may_stop() ? 0 : exec::JumpTarget::kNeverStops;
  if (shape != 0) {
    const Label other = a_.label();
    a_.alu(Alu::Cmp, Width::W32, Mem{kScratch, kOtherOffsets.frame}, static_cast<std::int32_t>(shape | unstopped));
    a_.jump(Condition::NE, other);
    note_tail_call();  // the context is in r1
    go_on_in_body();
    a_.bind(other);
  }
  if (unstopped != 0) {
    a_.alu(Alu::Cmp, Width::W32, Mem{kScratch, kOtherOffsets.frame}, 0);
    a_.jump(Condition::NS, unknown);
  }
  a_.alu(Alu::Cmp, Width::W64, Mem{kScratch, kOtherOffsets.code}, 0);
  a_.jump(Condition::E, unknown);
  note_tail_call();
  a_.load(Width::W64, Reg::Rax, Mem{kScratch, kOtherOffsets.code});
  go_on_in_other();
}

// Where the reference in rax is the program's own, which is not 0: loops are made of such calls. What call.program and
// the frame hold is what they should.
void Compiler::go_on_in_itself() {
  const Label other = a_.label();
  a_.mov(kScratch, order_.found_as);
  a_.alu(Alu::Cmp, Width::W64, Reg::Rax, Mem{kScratch, 0});
  a_.jump(Condition::NE, other);
  a_.alu(Alu::Add, Width::W32, field(kCallOffsets.tail_calls), 1);
  a_.jump(body_);
  a_.bind(other);
}

// Of the exec::Known in kScratch, whose frame is like this one.
void Compiler::go_on_in_body() {
  if (!order_.hardening.retpolines) {
    a_.notrack();  // no endbr stands there
    return a_.jump(Mem{kScratch, kOtherOffsets.body});
  }
  a_.load(Width::W64, Reg::Rax, Mem{kScratch, kOtherOffsets.body});
  jump_register(Reg::Rax);
}

// Of the program whose exec::Known is in kScratch.
void Compiler::note_tail_call() {
  a_.load(Width::W64, Reg::Rax, Mem{kScratch, kOtherOffsets.object});
  a_.alu(Alu::Add, Width::W32, field(kCallOffsets.tail_calls), 1);
  a_.store(Width::W64, field(kCallOffsets.program), Reg::Rax);
}

// ---- Others

// What exec::Generator::draw() says.
void Compiler::draw_random(const InlinedCall& call) {
  static_assert(offsetof(exec::Generator, state) == 0);
  a_.load(Width::W64, kScratch, field(kCallOffsets.generator));
  a_.test(Width::W64, kScratch, kScratch);
  a_.jump(Condition::E, call_later(call, behind(call.slot)).label);
  a_.mov(kScratch2, exec::Generator::kStep);
  a_.alu(Alu::Add, Width::W64, kScratch2, Mem{kScratch, 0});
  a_.store(Width::W64, Mem{kScratch, 0}, kScratch2);
  a_.mov(Reg::Rax, exec::Generator::kTwist);
  a_.alu(Alu::Xor, Width::W64, Reg::Rax, kScratch2);
  a_.unary(Unary::Mul, Width::W64, kScratch2);  // rdx is r2, which a call takes
  a_.alu(Alu::Xor, Width::W32, Reg::Rax, Reg::Rdx);
}

// Nanoseconds, as runtime::SystemHost says them: 0 where the clock cannot be read. What reads it writes on the stack,
// which is aligned for calls.
void Compiler::read_clock(const At& at, exec::Clock clock) {
  if (order_.clock == 0) return CallHelper(at);
  constexpr std::int32_t kNanoseconds = 1'000'000'000;
  constexpr std::uint32_t kBytes = sizeof(timespec);
  static_assert(kBytes == 16 && offsetof(timespec, tv_sec) == 0 && offsetof(timespec, tv_nsec) == 8);
  a_.mov(Reg::Rax, 0);
  for (std::uint32_t pushed = 0; pushed < kBytes; pushed += 8) {
    a_.push(Reg::Rax);
    note_frame(FrameStep::Kind::Grow, Reg::Rsp, 8);
  }
  a_.mov(Reg::Rdi, static_cast<std::uint64_t>(exec::system_clock(clock)));
  a_.mov(Width::W64, Reg::Rsi, Reg::Rsp);
  call_address(order_.clock);
  a_.load(Width::W64, Reg::Rax, Mem{Reg::Rsp, offsetof(timespec, tv_sec)});
  a_.imul(Width::W64, Reg::Rax, Reg::Rax, kNanoseconds);
  a_.alu(Alu::Add, Width::W64, Reg::Rax, Mem{Reg::Rsp, offsetof(timespec, tv_nsec)});
  a_.alu(Alu::Add, Width::W64, Reg::Rsp, std::int32_t{kBytes});
  note_frame(FrameStep::Kind::Grow, Reg::Rsp, 0U - kBytes);
}

// bpf_xdp_load_bytes and bpf_xdp_store_bytes(r1 context, r2 offset, r3 memory, r4 bytes) of a packet that lies in one
// piece and is long enough.
void Compiler::copy_packet(const InlinedCall& call, Copying direction) {
  const Label elsewhere = call_later(call, behind(call.slot)).label;
  const auto bytes = static_cast<std::int32_t>(call.bytes);
  a_.mov(Width::W32, kScratch, reg(2));
  a_.alu(Alu::Cmp, Width::W32, kScratch, static_cast<std::int32_t>(exec::kMostXdpOffset));
  a_.jump(Condition::A, elsewhere);
  a_.alu(Alu::Cmp, Width::W64, Mem{reg(1), exec::kXdpEdges.frags_end}, 0);
  a_.jump(Condition::NE, elsewhere);
  a_.alu(Alu::Add, Width::W64, kScratch, Mem{reg(1), exec::kXdpEdges.data});
  a_.lea(Width::W64, kScratch2, Mem{kScratch, bytes});
  a_.alu(Alu::Cmp, Width::W64, kScratch2, Mem{reg(1), exec::kXdpEdges.data_end});
  a_.jump(Condition::A, elsewhere);
  const bool loads = direction == Copying::FromPacket;
  const Reg from = loads ? kScratch : reg(3), to = loads ? reg(3) : kScratch;
  for (std::int32_t at = 0; at < bytes;) {
    const std::int32_t piece =
        std::min(8, static_cast<std::int32_t>(std::bit_floor(static_cast<unsigned>(bytes - at))));
    const Width width = width_of(8U * static_cast<unsigned>(piece));
    a_.load(width, kScratch2, Mem{from, at});
    a_.store(width, Mem{to, at}, kScratch2);
    at += piece;
  }
  a_.mov(Reg::Rax, 0);
}

// bpf_strncmp(r1 memory, bytes, text): -1, 0 or 1. The first byte counts most, and the text's end ends the comparison.
void Compiler::compare_text(const InlinedCall& call) {
  const Label differs = a_.label(), done = a_.label();
  for (std::uint32_t at = 0; at < call.bytes;) {
    const std::uint32_t piece = std::min(8U, std::bit_floor(call.bytes - at));
    const Width width = width_of(8 * piece);
    std::uint64_t text = 0;
    for (std::uint32_t i = 0; i < piece; ++i) text = text << 8 | std::to_integer<std::uint64_t>(call.text[at + i]);
    a_.reserve();
    a_.load(width, Reg::Rax, Mem{reg(1), static_cast<std::int32_t>(at)});
    if (piece >= 4)
      a_.bswap(width, Reg::Rax);
    else if (piece == 2)
      a_.shift(x64::Shift::Rol, Width::W16, Reg::Rax, 8);
    a_.mov(kScratch, text);
    a_.alu(Alu::Cmp, Width::W64, Reg::Rax, kScratch);
    a_.jump(Condition::NE, differs);
    at += piece;
  }
  a_.mov(Reg::Rax, 0);
  a_.jump(done);
  a_.bind(differs);
  a_.alu(Alu::Sbb, Width::W64, Reg::Rax, Reg::Rax);
  a_.alu(Alu::Or, Width::W64, Reg::Rax, 1);
  a_.bind(done);
}

// bpf_csum_diff(r1 from, size, r3 to, size, r5 seed): what packet::csum_diff says. Sums wrap around by their carries,
// and every way to add the same words gives the same: 0 only where all are 0.
void Compiler::compare_checksums(const InlinedCall& call) {
  const bool compares = call.from_bytes != 0 && call.to_bytes != 0;
  if (compares) {
    a_.mov(Reg::Rax, 0);
    add_words(reg(1), call.from_bytes, {});
    fold(Reg::Rax, 32);
    a_.unary(Unary::Not, Width::W32, Reg::Rax);
    a_.mov(Width::W32, kScratch, Reg::Rax);
  }
  a_.mov(Width::W32, Reg::Rax, reg(5));
  if (compares) {
    add_words(reg(3), call.to_bytes, kScratch);
    fold(Reg::Rax, 32);
  } else if (call.to_bytes != 0) {
    add_words(reg(3), call.to_bytes, {});
    fold(Reg::Rax, 32);
  } else if (call.from_bytes != 0) {
    a_.unary(Unary::Not, Width::W32, Reg::Rax);
    add_words(reg(1), call.from_bytes, {});
    fold(Reg::Rax, 32);
    a_.unary(Unary::Not, Width::W32, Reg::Rax);
  }
  fold(Reg::Rax, 16);
}

// Adds words of memory to rax, and `last` to them; `bytes` is a multiple of 4 above 0. Uses kScratch2.
void Compiler::add_words(Reg from, std::uint32_t bytes, std::optional<Reg> last) {
  Alu add = Alu::Add;
  std::int32_t at = 0;
  if (bytes % 8 != 0) {
    a_.load(Width::W32, kScratch2, Mem{from, 0});
    a_.alu(std::exchange(add, Alu::Adc), Width::W64, Reg::Rax, kScratch2);
    at = 4;
  }
  for (; at < static_cast<std::int32_t>(bytes); at += 8)
    a_.alu(std::exchange(add, Alu::Adc), Width::W64, Reg::Rax, Mem{from, at});
  if (last) a_.alu(Alu::Adc, Width::W64, Reg::Rax, *last);
  a_.alu(Alu::Adc, Width::W64, Reg::Rax, 0);
}

// From twice as many bits to `bits`, the upper half added to the lower. Uses kScratch2.
void Compiler::fold(Reg what, std::uint8_t bits) {
  const Width width = width_of(2U * bits);
  a_.mov(width, kScratch2, what);
  a_.shift(x64::Shift::Rol, width, kScratch2, bits);
  a_.alu(Alu::Add, width, what, kScratch2);
  a_.shift(x64::Shift::Shr, width, what, bits);
}

// bpf_loop(r1 times, r2 function, r3 context, r4 flags): the number of calls, up to one that returns something else
// than 0. The registers that the loop keeps its own in are the callers' as much as any function's.
void Compiler::loop(const InlinedCall& call) {
  constexpr Reg kIndex = Reg::Rbx, kTimes = Reg::R13, kContext = Reg::R14;
  const Label done = a_.label(), end = a_.label(), again = a_.label();
  a_.mov(Reg::Rax, static_cast<std::uint64_t>(-EINVAL));
  a_.test(Width::W64, reg(4), reg(4));
  a_.jump(Condition::NE, done);
  a_.mov(Reg::Rax, static_cast<std::uint64_t>(-E2BIG));
  a_.alu(Alu::Cmp, Width::W32, reg(1), static_cast<std::int32_t>(spec::kMaxLoops));
  a_.jump(Condition::A, done);
  for (const Reg kept : {kIndex, kTimes, kContext}) push(kept);
  push(kContext);  // a fourth, so that the stack stays aligned
  a_.mov(Width::W32, kTimes, reg(1));
  a_.mov(Width::W64, kContext, reg(3));
  a_.mov(kIndex, 0);
  a_.test(Width::W32, kTimes, kTimes);
  a_.jump(Condition::E, end);
  a_.align();
  a_.bind(again);
  a_.mov(Width::W32, reg(1), kIndex);
  a_.mov(Width::W64, reg(2), kContext);
  for (const unsigned number : {3U, 4U, 5U})
    if ((survey_.functions[call.callback].arguments >> number & 1U) != 0) a_.mov(reg(number), 0);
  call_function(call.callback);
  a_.alu(Alu::Add, Width::W32, kIndex, 1);
  a_.test(Width::W64, Reg::Rax, Reg::Rax);
  a_.jump(Condition::NE, end);
  a_.alu(Alu::Cmp, Width::W32, kIndex, kTimes);
  a_.jump(Condition::B, again);
  a_.bind(end);
  a_.mov(Width::W32, Reg::Rax, kIndex);
  pop(kContext);
  for (const Reg kept : {kContext, kTimes, kIndex}) pop(kept);
  a_.bind(done);
}

}  // namespace skep::jit::x64
