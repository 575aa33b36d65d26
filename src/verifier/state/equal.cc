#include "verifier/state/equal.h"

#include <algorithm>
#include <bit>

namespace skep::verifier {
namespace {

// The mark that a number is its id's plus a distance is part of the id where ids are compared.
constexpr std::uint32_t kPlusOffset = 1U << 31;

std::uint32_t scalar_id(const Register& reg) noexcept { return reg.id | (reg.is_offset ? kPlusOffset : 0); }

template <class Bounds>
bool bounds_within(const Bounds& old, const Bounds& now) noexcept {
  return old.umin <= now.umin && old.umax >= now.umax && old.smin <= now.smin && old.smax >= now.smax;
}

bool within(const Scalar64& old, const Scalar64& now) noexcept {
  const bool bits = (old.bits.mask | now.bits.mask) == old.bits.mask &&  // what now may vary, old may
                    (now.bits.value & ~old.bits.mask) == old.bits.value;
  return bits && bounds_within(old.full, now.full) && bounds_within(old.half, now.half);
}

// What it points to and the fixed offset: all but the variable part and the ids.
bool same_pointer(const Register& a, const Register& b) noexcept {
  return a.kind == b.kind && a.traits == b.traits && a.offset == b.offset && a.word == b.word && a.word2 == b.word2 &&
         a.detail == b.detail && a.first_slot == b.first_slot;
}

const Register kAnything = Register::unknown();
const Register kNothing{};
const Slot kEmptySlot{};

std::uint64_t word(const Slot& slot) noexcept { return std::bit_cast<std::uint64_t>(slot.bytes); }

}  // namespace

bool IdMap::matches(std::uint32_t old_id, std::uint32_t new_id) {
  if ((old_id != 0) != (new_id != 0)) return false;
  if (old_id == 0) return true;
  for (const Pair& pair : pairs_) {
    if (pair.old_id == old_id) return pair.new_id == new_id;
    if (pair.new_id == new_id) return false;
  }
  pairs_.push_back({old_id, new_id});
  return true;
}

bool Comparison::subsumes(const Checkpoint& old, const State& now, std::uint32_t last_id, Exactness exactness) {
  if (old.state.top != now.top) return false;
  ids_.reset(last_id);
  if (!sections(old.state, now)) return false;
  for (unsigned i = 0; i <= now.top; ++i)
    if (old.state.frames[i]->callsite != now.frames[i]->callsite || !frames(old, now, i, exactness)) return false;
  return references(old.state, now);
}

bool Comparison::sections(const State& old, const State& now) {
  if (old.speculative && !now.speculative) return false;
  if (old.lock.object != now.lock.object || !ids_.matches(old.lock.id, now.lock.id)) return false;
  return old.in_rcu == now.in_rcu && old.preempt_depth == now.preempt_depth && old.may_sleep == now.may_sleep;
}

bool Comparison::frames(const Checkpoint& old, const State& now, unsigned index, Exactness exactness) {
  if (old.state.frames[index]->callback_depth > now.frames[index]->callback_depth) return false;
  return registers(old, now, index, exactness) && stack(old, now, index, exactness);
}

bool Comparison::registers(const Checkpoint& old, const State& now, unsigned index, Exactness exactness) {
  constexpr std::uint32_t kAll = (1U << isa::kRegisters) - 1;
  const Frame &was = *old.state.frames[index], &is = *now.frames[index];
  const Marks& marks = old.state.marks[index];
  for (std::uint32_t left = exactness == Exactness::NotExact ? marks.read() : kAll; left != 0; left &= left - 1) {
    const auto i = static_cast<unsigned>(std::countr_zero(left));
    const bool is_frame_pointer = i + 1 == isa::kRegisters;
    const Seen seen{.read = (marks.read() >> i & 1) != 0, .precise = (marks.precise >> i & 1) != 0};
    const bool forgotten = old.is_cleaned && !seen.read && !is_frame_pointer;
    if (!safe(forgotten ? kNothing : was.registers[i], is.registers[i], seen, exactness)) return false;
  }
  return true;
}

bool Comparison::stack(const Checkpoint& old, const State& now, unsigned index, Exactness exactness) {
  const Frame &was = *old.state.frames[index], &is = *now.frames[index];
  const Marks& marks = old.state.marks[index];
  const std::uint64_t all = was.stack.empty() ? 0 : ~std::uint64_t{0} >> (kMaxSlots - was.stack.size());
  for (std::uint64_t left = exactness == Exactness::NotExact ? marks.slots_read & all : all; left != 0;
       left &= left - 1) {
    const auto i = static_cast<unsigned>(std::countr_zero(left));
    const Seen seen{.read = (marks.slots_read >> i & 1) != 0, .precise = (marks.slots_precise >> i & 1) != 0};
    const Slot& before = old.is_cleaned && !seen.read ? kEmptySlot : was.stack[i];
    if (!slot(before, i < is.stack.size() ? &is.stack[i] : nullptr, seen, exactness)) return false;
  }
  return true;
}

bool Comparison::slot(const Slot& old, const Slot* now, Seen seen, Exactness exactness) {
  if (exactness != Exactness::NotExact && (now == nullptr || old.bytes != now->bytes)) return false;
  if (now == nullptr)  // fine as long as nothing in the old slot counted
    return std::ranges::all_of(old.bytes, [&](ByteKind kind) {
      return kind == ByteKind::Invalid || (rules_.reads_uninit_stack && kind == ByteKind::Misc);
    });
  // A spilled number compares with eight bytes that may be anything, as the number they would be read as. The first
  // byte decides whether there is anything to compare.
  const bool counts =
      old.bytes[0] != ByteKind::Invalid && !(rules_.reads_uninit_stack && old.bytes[0] == ByteKind::Misc);
  if (counts) {
    const Register *was = as_scalar(old), *is = as_scalar(*now);
    if (was != nullptr && is != nullptr) {
      const Seen read{.read = true, .precise = seen.precise};
      return safe(*was, *is, was == &kAnything ? read : seen, exactness);
    }
  }
  return slot_bytes(old, *now) && slot_contents(old, *now, seen, exactness);
}

bool Comparison::slot_bytes(const Slot& old, const Slot& now) const {
  if (word(old) == word(now)) return true;
  for (std::size_t i = 0; i < kSlotBytes; ++i) {
    const ByteKind was = old.bytes[i], is = now.bytes[i];
    if (was == ByteKind::Invalid || (rules_.reads_uninit_stack && was == ByteKind::Misc)) continue;
    if (was == ByteKind::Misc && is == ByteKind::Zero) continue;
    if (was != is) return false;
  }
  return true;
}

bool Comparison::slot_contents(const Slot& old, const Slot& now, Seen seen, Exactness exactness) {
  const Register &was = old.spilled, &is = now.spilled;
  switch (old.bytes.back()) {
    case ByteKind::Spill: return safe(was, is, seen, exactness);
    case ByteKind::Dynptr:
      return was.dynptr == is.dynptr && was.first_slot == is.first_slot && ids_.matches(was.ref_obj_id, is.ref_obj_id);
    case ByteKind::Iterator:  // not its depth, or no loop would converge
      return was.btf_type == is.btf_type && was.iter_state == is.iter_state &&
             ids_.matches(was.ref_obj_id, is.ref_obj_id);
    case ByteKind::Misc:
    case ByteKind::Zero:
    case ByteKind::Invalid: return true;
  }
  return false;
}

// The number that eight bytes are read as, if they are one whole number.
const Register* Comparison::as_scalar(const Slot& slot) const noexcept {
  if (slot.holds_whole_register() && slot.spilled.is_scalar()) return &slot.spilled;
  const bool anything = std::ranges::all_of(slot.bytes, [&](ByteKind kind) {
    return kind == ByteKind::Misc || (rules_.reads_uninit_stack && kind == ByteKind::Invalid);
  });
  return anything ? &kAnything : nullptr;
}

bool Comparison::references(const State& old, const State& now) {
  return std::ranges::equal(old.references, now.references,
                            [&](const Reference& was, const Reference& is) { return ids_.matches(was.id, is.id); });
}

bool Comparison::exact(const Register& old, const Register& now) {
  return same_pointer(old, now) && old.number == now.number && ids_.matches(scalar_id(old), scalar_id(now)) &&
         ids_.matches(old.ref_obj_id, now.ref_obj_id);
}

bool Comparison::safe(const Register& old, const Register& now, Seen seen, Exactness exactness) {
  if (exactness == Exactness::Exact) return exact(old, now);
  const bool all = exactness != Exactness::NotExact;
  if (!seen.read && !all) return true;
  if (old.kind == Kind::Unset && (!all || now.kind == Kind::Unset)) return true;
  if (old.kind != now.kind || old.traits != now.traits) return false;
  switch (old.kind) {
    case Kind::Scalar: return scalar(old, now, seen, exactness);
    case Kind::MapKey:
    case Kind::MapValue:
    case Kind::Memory:
    case Kind::Buffer:
    case Kind::TpBuffer:
      return same_pointer(old, now) && within(old.number, now.number) && ids_.matches(old.id, now.id) &&
             ids_.matches(old.ref_obj_id, now.ref_obj_id);
    case Kind::Packet:
    case Kind::PacketMeta:
      return old.range <= now.range && old.offset == now.offset && ids_.matches(old.id, now.id) &&
             within(old.number, now.number);
    case Kind::Stack: return exact(old, now) && old.frame == now.frame;
    case Kind::Arena: return true;
    default: return exact(old, now);
  }
}

bool Comparison::scalar(const Register& old, const Register& now, Seen seen, Exactness exactness) {
  if (rules_.exact_scalars)
    return old.number == now.number && old.offset == now.offset && ids_.matches_scalar(scalar_id(old), scalar_id(now));
  const bool precise = seen.precise || rules_.all_precise;
  if (!precise && exactness == Exactness::NotExact) return true;
  if (old.is_offset != now.is_offset || (old.is_offset && old.offset != now.offset)) return false;
  return ids_.matches_scalar(scalar_id(old), scalar_id(now)) && within(old.number, now.number);
}

}  // namespace skep::verifier
