// Loads from the stack and stores to it: registers spilled and filled, bytes, at fixed and at variable offsets.
#include <algorithm>
#include <bit>

#include "verifier/step/memory.h"

namespace skep::verifier {
namespace {

// Bytes at a fixed place of a frame's stack; they lie in one slot.
struct Place {
  unsigned frame;
  std::int32_t offset;  // below the frame pointer, negative
  unsigned size;

  std::size_t slot() const noexcept { return static_cast<unsigned>(-offset - 1) / kSlotBytes; }
  std::size_t byte(unsigned i) const noexcept {
    return (static_cast<unsigned>(-offset - 1) - i) % kSlotBytes;  // of the slot's; i counts from the lowest address
  }
  bool starts_slot() const noexcept { return offset % static_cast<std::int32_t>(kSlotBytes) == 0; }
};

// What a store writes.
struct Stored {
  std::optional<unsigned> value;  // register
  std::optional<std::int32_t> immediate;
};

Slot& slot_at(Walk& walk, const Place& at) { return walk.state.mutable_frame(at.frame).stack[at.slot()]; }
void show(Walk& walk, std::size_t slot) { walk.changes.slots |= std::uint64_t{1} << slot; }
unsigned width(const Register& value) { return static_cast<unsigned>(std::bit_width(value.number.full.umax)); }

bool is_zero(const Walk& walk, const Stored& what) {
  return what.value ? walk.peek(*what.value).is_zero() : what.immediate == 0;
}

// ---- Reading

Checked check_byte_read(Walk& walk, const Place& at, unsigned i, ByteKind kind) {
  const bool readable =
      kind == ByteKind::Misc || kind == ByteKind::Zero || (kind == ByteKind::Invalid && walk.reads_uninit_stack);
  if (readable) return {};
  return walk.reject(EACCES, "invalid read from stack off {}+{} size {}", at.offset, i, at.size);
}

// A part of a spilled number, or of what lies beside it. True: the number itself is what is read.
CheckedOf<bool> read_part(Walk& walk, const Slot& slot, const Place& at, Register& loaded) {
  if (at.size <= slot.spilled_bytes() && at.starts_slot()) {
    loaded = slot.spilled;
    if (width(slot.spilled) > at.size * 8) loaded.unlink();
    return true;
  }
  unsigned zero = 0, spilled = 0;
  for (unsigned i = 0; i < at.size; ++i) {
    const ByteKind kind = slot.bytes[at.byte(i)];
    zero += kind == ByteKind::Zero;
    spilled += kind == ByteKind::Spill;
    if (kind != ByteKind::Spill) TRY_VOID(check_byte_read(walk, at, i, kind));
  }
  const bool of_zero = spilled == at.size && slot.spilled.is_zero();
  if (of_zero || zero == at.size) loaded = Register::constant(0);
  return of_zero;
}

Checked read_spilled(Walk& walk, const Slot& slot, const Place& at, bool fills, Register& loaded) {
  if (at.size == kSlotBytes && slot.spilled_bytes() == kSlotBytes) {
    if (!fills && is_secret(walk, slot.spilled))
      return walk.reject(EACCES, "leaking pointer from stack off {}", at.offset);
    loaded = slot.spilled;
    walk.mark_slot_read(at.frame, at.slot());
    walk.note_stack_access(at.frame, at.slot());
    return {};
  }
  if (!slot.spilled.is_scalar()) return walk.reject(EACCES, "invalid size of register fill");
  walk.mark_slot_read(at.frame, at.slot());
  if (!fills) return {};
  TRY(const bool restores, read_part(walk, slot, at, loaded));
  if (restores) walk.note_stack_access(at.frame, at.slot());
  return {};
}

Checked read_fixed(Walk& walk, const Place& at, bool fills, Register& loaded) {
  show(walk, at.slot());
  notice_fastcall_stack(walk, walk.frame().subprog, at.offset);
  const Slot& slot = walk.state.frames[at.frame]->stack[at.slot()];
  if (slot.holds_register()) return read_spilled(walk, slot, at, fills, loaded);
  bool zero = true;
  for (unsigned i = 0; i < at.size; ++i) {
    const ByteKind kind = slot.bytes[at.byte(i)];
    TRY_VOID(check_byte_read(walk, at, i, kind));
    zero &= kind == ByteKind::Zero;
  }
  walk.mark_slot_read(at.frame, at.slot());
  if (zero) loaded = Register::constant(0);
  return {};
}

Checked read_variable(Walk& walk, const Target& target, Register& loaded) {
  const Register& base = walk.peek(target.access.base);
  TRY_VOID(check_stack_initialised(walk, {target.access.base, target.offset, target.access.size, false, false}));
  const std::int64_t first = base.number.full.smin + target.offset;
  const std::int64_t end = base.number.full.smax + target.offset + target.access.size;
  const Frame& frame = *walk.state.frames[base.frame];
  bool zero = true;
  for (std::int64_t i = first; i < end && zero; ++i) {
    const auto below = static_cast<std::size_t>(-i - 1);
    show(walk, below / kSlotBytes);
    zero = frame.stack[below / kSlotBytes].bytes[below % kSlotBytes] == ByteKind::Zero;
  }
  if (zero) loaded = Register::constant(0);
  notice_fastcall_stack(walk, frame.subprog, first);
  return {};
}

// ---- Writing

bool is_spillable(Kind kind) {
  switch (kind) {
    case Kind::Unset:
    case Kind::Scalar:
    case Kind::TpBuffer:
    case Kind::Dynptr:
    case Kind::Iterator: return false;
    default: return true;
  }
}

// Of a slot: what a smaller spill leaves of the byte.
ByteKind left_of(const Walk& walk, ByteKind kind) {
  const bool stays = kind == ByteKind::Zero || (kind == ByteKind::Invalid && walk.may_leak);
  return stays ? kind : ByteKind::Misc;
}

void spill(Walk& walk, const Place& at, const Register& value) {
  Slot& slot = slot_at(walk, at);
  slot.spilled = value;
  if (at.size == kSlotBytes) walk.mark_slot_written(at.frame, at.slot());
  for (unsigned i = 0; i < kSlotBytes; ++i) {
    ByteKind& kind = slot.bytes[kSlotBytes - 1 - i];
    kind = i < at.size ? ByteKind::Spill : left_of(walk, kind);
  }
}

void spill_number(Walk& walk, const Place& at, unsigned number) {
  const bool fits = width(walk.peek(number)) <= at.size * 8;
  if (fits) walk.link(walk.reg(number));
  spill(walk, at, walk.peek(number));
  if (!fits) slot_at(walk, at).spilled.unlink();
}

Checked spill_pointer(Walk& walk, const Place& at, unsigned number) {
  if (at.size != kSlotBytes) return walk.reject(EACCES, "invalid size of register spill");
  if (at.frame != walk.state.top && walk.peek(number).kind == Kind::Stack)
    return walk.reject(EINVAL, "cannot spill pointers to stack into stack frame of the caller");
  spill(walk, at, walk.peek(number));
  return {};
}

void scrub(Slot& slot) {
  for (ByteKind& kind : slot.bytes)
    if (kind != ByteKind::Invalid) kind = ByteKind::Misc;
}

bool is_special(const Slot& slot) {
  const ByteKind kind = slot.bytes.back();
  return kind == ByteKind::Spill || kind == ByteKind::Dynptr || kind == ByteKind::Iterator;
}

Checked overwrite(Walk& walk, const Place& at, const Stored& what) {
  Slot& slot = slot_at(walk, at);
  slot.spilled = Register{};
  if (is_special(slot)) scrub(slot);
  if (at.size == kSlotBytes) walk.mark_slot_written(at.frame, at.slot());
  const bool zero = is_zero(walk, what);
  // A zero that is no spill cannot be followed backwards: where it comes from matters now.
  if (zero && what.value) TRY_VOID(walk.mark_precise(*what.value));
  Slot& target = slot_at(walk, at);
  for (unsigned i = 0; i < at.size; ++i) target.bytes[at.byte(i)] = zero ? ByteKind::Zero : ByteKind::Misc;
  return {};
}

// A load that overtakes this store must not read what the slot held before.
void guard_speculation(Walk& walk, const Place& at, const Stored& what) {
  if (walk.bypasses_spec_v4) return;
  const Slot& slot = walk.state.frames[at.frame]->stack[at.slot()];
  bool guards = what.value && is_spillable(walk.peek(*what.value).kind);
  for (unsigned i = 0; i < at.size; ++i) {
    const ByteKind before = slot.bytes[at.byte(i)];
    guards |= before != ByteKind::Misc && before != ByteKind::Zero;
  }
  if (guards) walk.insn_info().needs_nospec = true;
}

Checked write_fixed(Walk& walk, const Place& at, const Stored& what) {
  const Slot& before = walk.state.frames[at.frame]->stack[at.slot()];
  if (!walk.may_leak && before.holds_register() && !before.holds_scalar() && at.size != kSlotBytes)
    return walk.reject(EACCES, "attempt to corrupt spilled pointer on stack");
  guard_speculation(walk, at, what);
  TRY_VOID(destroy_dynptr(walk, at.frame, at.slot()));
  notice_fastcall_stack(walk, walk.state.frames[at.frame]->subprog, at.offset);
  show(walk, at.slot());
  const Kind kind = what.value ? walk.peek(*what.value).kind : Kind::Unset;
  const bool tracks_numbers = at.starts_slot() && walk.bpf_capable;
  if (kind == Kind::Scalar && tracks_numbers) {
    spill_number(walk, at, *what.value);
  } else if (!what.value && what.immediate && tracks_numbers) {
    spill(walk, at, Register::constant(static_cast<std::uint64_t>(std::int64_t{*what.immediate})));
  } else if (what.value && is_spillable(kind)) {
    TRY_VOID(spill_pointer(walk, at, *what.value));
  } else {
    return overwrite(walk, at, what);
  }
  walk.note_stack_access(at.frame, at.slot());
  return {};
}

// One byte that a store at a variable offset may or may not write. True: it relied on what is stored being zero.
CheckedOf<bool> write_maybe(Walk& walk, unsigned frame, std::int64_t offset, bool zero) {
  const auto below = static_cast<std::size_t>(-offset - 1);
  show(walk, below / kSlotBytes);
  Slot& slot = walk.state.mutable_frame(frame).stack[below / kSlotBytes];
  ByteKind& kind = slot.bytes[below % kSlotBytes];
  if (!walk.may_leak && kind != ByteKind::Misc && kind != ByteKind::Zero)
    return walk.reject(EINVAL, "spilled ptr in range of var-offset stack write; insn {}, ptr off: {}", walk.index,
                       offset);
  if (zero && kind == ByteKind::Spill && slot.holds_scalar() && slot.spilled.is_zero()) return true;
  slot.spilled = Register{};
  if (is_special(slot)) scrub(slot);
  if (kind == ByteKind::Invalid && !walk.reads_uninit_stack)
    return walk.reject(EINVAL, "uninit stack in range of var-offset write prohibited for !root; insn {}, off: {}",
                       walk.index, offset);
  const bool keeps_zero = zero && kind == ByteKind::Zero;
  kind = keeps_zero ? ByteKind::Zero : ByteKind::Misc;
  return keeps_zero;
}

Checked write_variable(Walk& walk, const Target& target, const Stored& what) {
  const Register base = walk.peek(target.access.base);
  const std::int64_t first = base.number.full.smin + target.offset;
  const std::int64_t end = base.number.full.smax + target.offset + target.access.size;
  for (std::int64_t i = first; i < end; ++i)
    TRY_VOID(destroy_dynptr(walk, base.frame, static_cast<std::size_t>(-i - 1) / kSlotBytes));
  notice_fastcall_stack(walk, walk.state.frames[base.frame]->subprog, first);
  const bool zero = is_zero(walk, what);
  bool relied = false;
  for (std::int64_t i = first; i < end; ++i) {
    TRY(const bool relies, write_maybe(walk, base.frame, i, zero));
    relied |= relies;
  }
  if (relied && what.value) return walk.mark_precise(*what.value);
  return {};
}

// Slices that a helper made of a dynptr that is no more hold nothing. Those of kernel functions, whose type names the
// dynptr's, Linux leaves alone.
void forget_slices(Walk& walk, std::uint32_t dynptr) {
  walk.state.update_registers(
      [&](const Register& reg) {
        const bool is_plain = (reg.traits & ~kOrNull) == 0 && reg.dynptr == DynptrType::Invalid;
        return reg.kind == Kind::Memory && is_plain && reg.dynptr_id == dynptr;
      },
      [&](Register& reg) { reg = walk.may_leak ? Register::unknown() : Register{}; });
}

}  // namespace

Checked access_stack(Walk& walk, const Target& target, Register& loaded) {
  const Access& access = target.access;
  TRY_VOID(check_stack_bounds(walk, {access.base, target.offset, access.size, false, false}, access.direction));
  const Register& base = walk.peek(access.base);
  const bool fixed = base.number.is_constant();
  if (target.reads() && !access.value && !fixed)
    return walk.reject(EACCES,
                       "variable offset stack pointer cannot be passed into helper function; var_off={} off={} size={}",
                       text_of(base.number.bits), target.offset, access.size);
  const auto offset =
      fixed ? static_cast<std::int32_t>(target.offset + static_cast<std::int64_t>(base.number.value())) : target.offset;
  const Place at{base.frame, offset, access.size};
  if (target.reads())
    return fixed ? read_fixed(walk, at, access.value.has_value(), loaded) : read_variable(walk, target, loaded);
  const Stored what{access.value, access.stores_immediate ? std::optional(access.immediate) : std::nullopt};
  return fixed ? write_fixed(walk, at, what) : write_variable(walk, target, what);
}

Checked destroy_dynptr(Walk& walk, unsigned frame, std::size_t slot) {
  if (walk.state.frames[frame]->stack[slot].bytes.front() != ByteKind::Dynptr) return {};
  const std::size_t first = walk.state.frames[frame]->stack[slot].spilled.first_slot ? slot : slot + 1;
  const Register dynptr = walk.state.frames[frame]->stack[first].spilled;
  if (dynptr.dynptr == DynptrType::Ringbuf) return walk.reject(EINVAL, "cannot overwrite referenced dynptr");
  for (const std::size_t i : {first, first - 1}) {
    show(walk, i);
    walk.state.mutable_frame(frame).stack[i] = Slot{};
    walk.mark_slot_written(frame, i);
  }
  forget_slices(walk, dynptr.id);
  return {};
}

void notice_fastcall_stack(Walk& walk, std::uint32_t index, std::int64_t offset) {
  if (index >= walk.subprogs.size()) return;
  Subprog& subprog = walk.subprogs[index];
  if (subprog.fastcall_stack_offset == Subprog::kNoFastcalls) return;
  if (-std::int64_t{subprog.fastcall_stack_offset} <= offset || walk.insn_info().in_fastcall_pattern) return;
  subprog.fastcall_stack_offset = Subprog::kNoFastcalls;
  for (std::size_t i = subprog.start; i < subprog.end; ++i) {
    walk.info[i].fastcall_spills = 0;
    walk.info[i].in_fastcall_pattern = false;
  }
}

}  // namespace skep::verifier
