#include "verifier/step/walk.h"

namespace skep::verifier {

Checked Walk::check_read(unsigned number) {
  if (number >= isa::kRegisters) return reject(EINVAL, "R{} is invalid", number);
  changes.registers |= 1U << number;
  if (reg(number).kind == Kind::Unset) return reject(EACCES, "R{} !read_ok", number);
  return {};
}

Checked Walk::check_write(unsigned number) {
  if (number >= isa::kRegisters) return reject(EINVAL, "R{} is invalid", number);
  changes.registers |= 1U << number;
  if (number == isa::kRegisters - 1) return reject(EACCES, "frame pointer is read only");
  return {};
}

void Walk::link(Register& source) noexcept {
  if (!source.is_scalar()) return;
  if (source.is_offset) source.unlink();
  if (source.id == 0 && !source.number.is_constant()) source.id = ++last_id;
}

Checked Walk::settle(Register& value, std::string_view where) {
  const auto why = value.number.contradiction();
  if (!why) return {};
  const Scalar64& s = value.number;
  std::string text = fmt::format(
      "REG INVARIANTS VIOLATION ({}): {} u64=[{:#x}, {:#x}] s64=[{:#x}, {:#x}] u32=[{:#x}, {:#x}] s32=[{:#x}, {:#x}] "
      "var_off=({:#x}, {:#x})",
      where, *why, s.full.umin, s.full.umax, static_cast<std::uint64_t>(s.full.smin),
      static_cast<std::uint64_t>(s.full.smax), s.half.umin, s.half.umax, static_cast<std::uint32_t>(s.half.smin),
      static_cast<std::uint32_t>(s.half.smax), s.bits.value, s.bits.mask);
  if (input.flags & spec::kTestRegInvariants) return reject(EFAULT, "{}", text);
  log.line(text);
  value.number.forget_bounds();
  return {};
}

Checked step(Walk& walk) {
  const isa::Insn& insn = walk.input.insns[walk.index];
  const isa::Op op = isa::decode(insn);
  walk.next = walk.index + 1;
  switch (insn.code & 0x07) {
    case 0x00: return step_load_constant(walk, op, insn);
    case 0x01: return step_load(walk, op, insn);
    case 0x02:
    case 0x03: return step_store(walk, op, insn);
    case 0x04:
    case 0x07: return step_alu(walk, op, insn);
    default: break;
  }
  if (insn.code == 0x85) return step_call(walk, insn);
  if (insn.code == 0x95) return step_exit(walk, insn);
  return step_jump(walk, op, insn);
}

}  // namespace skep::verifier
