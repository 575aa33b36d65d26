// Loads and stores: the stack at known offsets, the context, the packet.
#include <algorithm>
#include <optional>

#include "base/bytes.h"
#include "spec/context.h"
#include "verifier/domain/alu.h"
#include "verifier/step/walk.h"

namespace skep::verifier {
namespace {

using isa::Insn;
using isa::Op;
using spec::Direction;

struct Access {
  unsigned base;  // register
  std::int32_t offset;
  unsigned size;  // bytes
  Direction direction;
  bool extends_sign;
};

// What a store writes: a register's value, or an immediate.
struct Source {
  const Register* reg;  // null for an immediate
  std::int32_t imm;
  unsigned number;  // of the register

  bool is_zero() const { return reg ? reg->is_constant() && reg->number.value() == 0 : imm == 0; }
};

ByteKind& byte_at(Frame& frame, std::int32_t offset) {
  const auto below = static_cast<unsigned>(-offset - 1);
  return frame.stack[below / kSlotBytes].bytes[below % kSlotBytes];
}

Slot& slot_at(Walk& walk, std::int32_t offset) {
  const auto index = static_cast<unsigned>(-offset - 1) / kSlotBytes;
  walk.changes.slots |= std::uint64_t{1} << index;
  return walk.mutable_frame().stack[index];
}

std::string tnum_text(const Tnum64& bits) {
  std::string out;
  append(out, bits);
  return out;
}

std::string_view alignment_name(Kind kind) {
  if (kind == Kind::Stack) return "stack ";
  return kind == Kind::Context ? "context " : "";
}

Checked check_alignment(Walk& walk, const Access& access) {
  const Register& base = walk.reg(access.base);
  const bool stack = base.kind == Kind::Stack;
  if (!stack && !(walk.input.flags & spec::kStrictAlignment)) return {};
  if (base.is_packet()) return walk.unsupported("strict alignment in packets");
  const auto fixed = static_cast<std::uint64_t>(std::int64_t{base.offset} + access.offset);
  if ((base.number.bits + Tnum64::constant(fixed)).is_aligned(access.size)) return {};
  return walk.reject(EACCES, "misaligned {}access off {}+{}+{} size {}", alignment_name(base.kind),
                     tnum_text(base.number.bits), base.offset, access.offset, access.size);
}

// ---- Stack ----

Checked check_stack_bounds(Walk& walk, const Access& access, std::int64_t offset) {
  const bool inside = offset >= -std::int64_t{isa::kStackBytes} && offset + access.size <= 0;
  if (!inside)
    return walk.reject(EACCES, "invalid {} stack R{} off={} size={}",
                       access.direction == Direction::Read ? "read from" : "write to", access.base, offset,
                       access.size);
  const std::size_t slots = round_up(static_cast<std::size_t>(-offset), kSlotBytes) / kSlotBytes;
  if (walk.frame().stack.size() < slots) walk.mutable_frame().stack.resize(slots);
  std::uint32_t& deepest = walk.subprogs[walk.frame().subprog].stack_depth;
  deepest = std::max(deepest, walk.frame().depth());
  return {};
}

void spill(Slot& slot, const Register& value, unsigned size) {
  slot.spilled = value;
  for (unsigned i = 0; i < kSlotBytes; ++i) {
    ByteKind& kind = slot.bytes[kSlotBytes - 1 - i];
    if (i < size)
      kind = ByteKind::Spill;
    else if (kind != ByteKind::Zero && kind != ByteKind::Invalid)
      kind = ByteKind::Misc;
  }
}

void overwrite(Walk& walk, Slot& slot, std::int32_t offset, unsigned size, bool zero) {
  slot.spilled = Register{};
  for (ByteKind& kind : slot.bytes)
    if (kind == ByteKind::Spill) kind = ByteKind::Misc;
  for (unsigned i = 0; i < size; ++i)
    byte_at(walk.mutable_frame(), offset + static_cast<std::int32_t>(i)) = zero ? ByteKind::Zero : ByteKind::Misc;
}

Checked write_stack(Walk& walk, std::int32_t offset, unsigned size, Source source, Register* reg) {
  Slot& slot = slot_at(walk, offset);
  const auto index = static_cast<std::size_t>(-offset - 1) / kSlotBytes;
  if (size == kSlotBytes) walk.mark_slot_written(walk.state.top, index);
  walk.note_stack_access(walk.state.top, index);
  const bool aligned = offset % static_cast<std::int32_t>(kSlotBytes) == 0;
  if (reg != nullptr && reg->is_pointer()) {
    if (size != kSlotBytes || !aligned) return walk.reject(EACCES, "invalid size of register spill");
    spill(slot, *reg, size);
  } else if (reg != nullptr && aligned) {
    const bool fits = static_cast<unsigned>(std::bit_width(reg->number.full.umax)) <= size * 8;
    if (fits) walk.link(*reg);
    spill(slot, *reg, size);
    if (!fits) slot.spilled.id = 0;
  } else if (reg == nullptr && aligned) {
    spill(slot, Register::constant(static_cast<std::uint64_t>(std::int64_t{source.imm})), size);
  } else {
    if (source.is_zero() && reg != nullptr) TRY_VOID(walk.mark_precise(source.number));
    overwrite(walk, slot, offset, size, source.is_zero());
  }
  return {};
}

// The bytes as a number when they are no whole register: all zero, or anything.
Register bytes_read(Walk& walk, const Slot& slot, std::int32_t offset, unsigned size) {
  unsigned zero = 0, spilled = 0;
  for (unsigned i = 0; i < size; ++i) {
    const ByteKind kind = byte_at(walk.mutable_frame(), offset + static_cast<std::int32_t>(i));
    zero += kind == ByteKind::Zero;
    spilled += kind == ByteKind::Spill;
  }
  const bool of_zero = spilled == size && slot.spilled.is_constant() && slot.spilled.number.value() == 0;
  return zero == size || of_zero ? Register::constant(0) : Register::unknown();
}

Checked read_stack(Walk& walk, std::int32_t offset, unsigned size, Register& result) {
  const Slot& slot = slot_at(walk, offset);
  const auto index = static_cast<std::size_t>(-offset - 1) / kSlotBytes;
  walk.mark_slot_read(walk.state.top, index);
  if (!slot.holds_register()) {
    result = bytes_read(walk, slot, offset, size);
    return {};
  }
  const unsigned held = slot.spilled_bytes();
  if (size == kSlotBytes && held == kSlotBytes) {
    walk.note_stack_access(walk.state.top, index);
    result = slot.spilled;
    return {};
  }
  if (!slot.spilled.is_scalar()) return walk.reject(EACCES, "invalid size of register fill");
  if (size <= held && offset % static_cast<std::int32_t>(kSlotBytes) == 0) {
    walk.note_stack_access(walk.state.top, index);
    result = slot.spilled;
    if (static_cast<unsigned>(std::bit_width(result.number.full.umax)) > size * 8) result.id = 0;
    return {};
  }
  result = bytes_read(walk, slot, offset, size);
  return {};
}

// ---- Context ----

// What a load of the field gives; nothing for pointers that are not followed yet.
std::optional<Register> contents(spec::FieldKind kind) {
  switch (kind) {
    case spec::FieldKind::Scalar: return Register::unknown();
    case spec::FieldKind::PacketData: return Register::pointer(Kind::Packet);
    case spec::FieldKind::PacketMeta: return Register::pointer(Kind::PacketMeta);
    case spec::FieldKind::PacketEnd: return Register::pointer(Kind::PacketEnd);
    default: return std::nullopt;
  }
}

Checked check_context(Walk& walk, const Access& access, Register& loaded) {
  const Register& base = walk.reg(access.base);
  if (base.offset < 0)
    return walk.reject(EACCES, "negative offset {} ptr R{} off={} disallowed", name(base.kind), access.base,
                       base.offset);
  if (base.offset != 0)
    return walk.reject(EACCES, "dereference of modified {} ptr R{} off={} disallowed", name(base.kind), access.base,
                       base.offset);
  if (!base.number.is_constant() || base.number.value() != 0)
    return walk.reject(EACCES, "variable {} access var_off={} disallowed", name(base.kind),
                       tnum_text(base.number.bits));
  const auto field = spec::check_access({.type = walk.input.type,
                                         .attach = walk.input.attach,
                                         .offset = access.offset,
                                         .size = access.size,
                                         .direction = access.direction},
                                        walk.input.rights);
  if (!field) return walk.reject(field.error().code, "{}", field.error().message);
  const auto value = contents((*field)->kind);
  if (!value) return walk.unsupported("context field {}, which is a pointer", (*field)->name);
  loaded = *value;
  if (access.extends_sign) return walk.unsupported("a sign-extending load from the context");
  return {};
}

// ---- Packet ----

Checked check_packet(Walk& walk, const Access& access) {
  const Register& base = walk.reg(access.base);
  const std::int64_t offset = std::int64_t{base.offset} + access.offset;
  if (base.number.full.smin < 0)
    return walk.reject(EACCES, "R{} min value is negative, either use unsigned index or do a if (index >=0) check.",
                       access.base);
  if (base.range < 0) return walk.reject(EINVAL, "R{} offset is outside of the packet", access.base);
  if (offset >= 0 && offset + access.size <= base.range) return {};
  walk.log.line(fmt::format("invalid access to packet, off={} size={}, R{}(id={},off={},r={})", offset, access.size,
                            access.base, base.id, offset, base.range));
  return walk.reject(EACCES, "R{} offset is outside of the packet", access.base);
}

// An instruction is rewritten for the pointer it works on, so that it may not meet another kind on another path.
Checked remember_kind(Walk& walk, Kind kind) {
  Kind& before = walk.insn_info().accessed;
  if (before != Kind::Unset && before != kind && (before == Kind::Context || kind == Kind::Context))
    return walk.reject(EINVAL, "same insn cannot be used with different pointers");
  before = kind;
  return {};
}

// ---- Both ----

// `loaded` becomes what a load of the context gives.
Checked check_base(Walk& walk, const Access& access, Register& loaded) {
  const Register& base = walk.reg(access.base);
  TRY_VOID(check_alignment(walk, access));
  if (!base.is_pointer() || base.kind == Kind::PacketEnd)
    return walk.reject(EACCES, "R{} invalid mem access '{}'", access.base, name(base.kind));
  if (base.kind == Kind::Context) return check_context(walk, access, loaded);
  if (base.is_packet()) return check_packet(walk, access);
  if (!base.number.is_constant()) return walk.unsupported("access to the stack at a variable offset");
  return check_stack_bounds(walk, access,
                            std::int64_t{base.offset} + static_cast<std::int64_t>(base.number.value()) + access.offset);
}

std::int32_t stack_offset(Walk& walk, const Access& access) {
  const Register& base = walk.reg(access.base);
  return static_cast<std::int32_t>(base.offset + static_cast<std::int64_t>(base.number.value()) + access.offset);
}

void narrow(Register& value, const Access& access, Rules rules) {
  if (access.size == kSlotBytes || !value.is_scalar()) return;
  if (!access.extends_sign) return resize(access.size * 8, value.number, rules);
  switch (access.size) {
    case 1: return detail::extend_sign<8>(Part::Full, value.number, rules);
    case 2: return detail::extend_sign<16>(Part::Full, value.number, rules);
    default: return detail::extend_sign<32>(Part::Full, value.number, rules);
  }
}

}  // namespace

Checked step_load(Walk& walk, Op op, const Insn& insn) {
  const bool extends = isa::form(op) == isa::Form::LoadSx;
  if (isa::form(op) != isa::Form::Load && !extends) return walk.unsupported("load {:#04x}", insn.code);
  TRY_VOID(walk.check_read(insn.src));
  TRY_VOID(walk.check_write(insn.dst));
  const Access access{insn.src, insn.off, isa::access_bytes(op), Direction::Read, extends};
  const Kind kind = walk.reg(insn.src).kind;
  Register value = Register::unknown();
  TRY_VOID(check_base(walk, access, value));
  if (kind == Kind::Stack) TRY_VOID(read_stack(walk, stack_offset(walk, access), access.size, value));
  narrow(value, access, walk.rules);
  walk.set(insn.dst, value);
  TRY_VOID(remember_kind(walk, kind));
  return walk.settle(walk.reg(insn.dst), "ldx");
}

Checked step_store(Walk& walk, Op op, const Insn& insn) {
  const bool by_register = (insn.code & 0x07) == 0x03;
  const std::string_view group = by_register ? "BPF_STX" : "BPF_ST";
  if (op == Op::Invalid || isa::stray_fields(op, insn) != 0)
    return walk.reject(EINVAL, "{} uses reserved fields", group);
  if (by_register) TRY_VOID(walk.check_read(insn.src));
  TRY_VOID(walk.check_read(insn.dst));
  const Access access{insn.dst, insn.off, isa::access_bytes(op), Direction::Write, false};
  const Kind kind = walk.reg(insn.dst).kind;
  Register ignored;
  TRY_VOID(check_base(walk, access, ignored));
  Register* reg = by_register ? &walk.reg(insn.src) : nullptr;
  if (kind == Kind::Stack)
    TRY_VOID(write_stack(walk, stack_offset(walk, access), access.size, {reg, insn.imm, insn.src}, reg));
  return remember_kind(walk, kind);
}

Checked step_atomic(Walk& walk, Op, const Insn&) { return walk.unsupported("atomic operations"); }
Checked step_packet_load(Walk& walk, Op, const Insn&) { return walk.unsupported("packet loads"); }

}  // namespace skep::verifier
