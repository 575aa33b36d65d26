// Instructions that are written together: what BPF needs several for and x86 has one.
//
// Only instructions that always run one after the other are taken together. A register that the group leaves behind is
// left out where nobody asks for it any more (Survey::live).
#include <limits>

#include "jit/x64/compiler.h"

namespace skep::jit::x64 {
namespace {

using isa::AluOp;
using isa::Form;
using isa::Op;

constexpr unsigned kFramePointer = 10;

bool is_alu(Op op, AluOp which, Form form) { return isa::form(op) == form && isa::alu_op(op) == which; }

}  // namespace

std::uint32_t Compiler::fuse(const At& at) {
  const Form form = isa::form(at.op);
  if (form == Form::MovReg) return fuse_move(at);
  if (form == Form::Load) return fuse_load(at);
  if (form == Form::JumpImm || form == Form::JumpReg) return fuse_jump(at);
  if (form == Form::MovImm) return fuse_truth(at);
  if (form == Form::StoreReg) return fuse_halves(at);
  if (at.op == Op::Add64Reg) return fuse_load_of_sum(at);
  if (form == Form::LoadImm64) return at.op == Op::LdFunc ? 0 : fuse_element(at, Reg::Rsp, 0);
  return at.op == Op::Lsh64Imm ? fuse_shifts(at) : 0;
}

// Writes a load or store through register `through`, which nobody asks for afterwards, at another place; false: it is
// none, or needs the register for something else.
bool Compiler::access(const At& at, unsigned through, Indexed where) {
  const Form form = isa::form(at.op);
  if (form == Form::Load && at.insn.src == through) {
    if (at.insn.dst != through && !dead_after(at.slot, through)) return false;
    a_.load(at.width, reg(at.insn.dst), where);
    return true;
  }
  if (at.insn.dst != through || !dead_after(at.slot, through)) return false;
  if (form == Form::StoreImm) return a_.store(at.width, where, at.insn.imm), true;
  if (form != Form::StoreReg || at.insn.src == through) return false;
  a_.store(at.width, where, reg(at.insn.src));
  return true;
}

// ---- A copy, and an operation on the copy

std::uint32_t Compiler::fuse_move(const At& at) {
  if ((at.op != Op::Mov64Reg && at.op != Op::Mov32Reg) || at.insn.dst == at.insn.src || !follows(at.slot + 1)) return 0;
  const At next = this->at(at.slot + 1);
  const Form form = isa::form(next.op);
  if ((form != Form::AluImm && form != Form::AluReg) || next.insn.dst != at.insn.dst) return 0;
  if (is_alu(next.op, AluOp::Arsh, Form::AluImm)) return fuse_distance(at);
  const Reg to = reg(at.insn.dst), from = reg(at.insn.src);
  if (form == Form::AluImm && isa::alu_op(next.op) == AluOp::And &&
      (next.insn.imm == 0xff || next.insn.imm == 0xffff)) {
    a_.movzx(next.insn.imm == 0xff ? Width::W8 : Width::W16, to, from);
    return 2;
  }
  if (next.width != at.width) return 0;
  const AluOp op = isa::alu_op(next.op);
  if (op == AluOp::Add) return fuse_sum(at, next);
  return form == Form::AluImm && (op == AluOp::Lsh || op == AluOp::Rsh) ? fuse_rotation(at, next) : 0;
}

// A sum in a register of its own, and a load through it.
std::uint32_t Compiler::fuse_sum(const At& move, const At& add) {
  const Reg to = reg(move.insn.dst), from = reg(move.insn.src);
  const bool of_registers = isa::form(add.op) == Form::AluReg;
  // the copy added to itself is the original doubled
  const Reg other = !of_registers || add.insn.src == move.insn.dst ? from : reg(add.insn.src);
  const std::uint32_t third = add.slot + 1;
  if (move.width == Width::W64 && follows(third)) {
    const At user = at(third);
    const std::int64_t offset = std::int64_t{user.insn.off} + (of_registers ? 0 : add.insn.imm);
    if (of_registers && access(user, move.insn.dst, Indexed{from, other, 0, user.insn.off})) return 3;
    if (!of_registers && isa::form(user.op) == Form::Load && user.insn.src == move.insn.dst && fits_s32(offset) &&
        (user.insn.dst == move.insn.dst || dead_after(third, move.insn.dst))) {
      a_.load(user.width, reg(user.insn.dst), Mem{from, static_cast<std::int32_t>(offset)});
      return 3;
    }
  }
  if (of_registers)
    a_.lea(move.width, to, Indexed{from, other, 0, 0});
  else
    a_.lea(move.width, to, Mem{from, add.insn.imm});
  return 2;
}

//   a = x, a s>>= bits - 1, x ^= a, x -= a           where nobody asks for a afterwards: x without its sign
//   a = x, a s>>= bits - 1, b = x, b ^= a, b -= a    likewise, in b
std::uint32_t Compiler::fuse_distance(const At& copy) {
  const std::uint8_t a = copy.insn.dst, x = copy.insn.src;
  if (const At sign = at(copy.slot + 1);
      sign.width != copy.width || sign.insn.imm != static_cast<std::int32_t>(isa::bits(copy.op)) - 1)
    return 0;
  std::uint8_t b = x;
  std::uint32_t slot = copy.slot + 2;
  if (follows(slot) && survey_.ops[slot] == copy.op && insn(slot).src == x && insn(slot).dst != a &&
      insn(slot).dst != x)
    b = insn(slot++).dst;
  if (!follows(slot) || !follows(slot + 1)) return 0;
  const At flip = at(slot), add = at(slot + 1);
  if (!is_alu(flip.op, AluOp::Xor, Form::AluReg) || !is_alu(add.op, AluOp::Sub, Form::AluReg)) return 0;
  for (const At& step : {flip, add})
    if (step.width != copy.width || step.insn.dst != b || step.insn.src != a) return 0;
  if (!dead_after(add.slot, a)) return 0;
  const Reg turned = b == x ? kScratch : reg(b);
  a_.mov(copy.width, turned, reg(x));
  a_.unary(Unary::Neg, copy.width, turned);
  if (b == x)
    a_.cmov(Condition::NS, copy.width, reg(x), turned);
  else
    a_.cmov(Condition::S, copy.width, turned, reg(x));
  return add.slot + 1 - copy.slot;
}

//   a += b, and a load through a, where nobody asks for a afterwards
std::uint32_t Compiler::fuse_load_of_sum(const At& add) {
  if (add.insn.dst == add.insn.src || !follows(add.slot + 1)) return 0;
  const At load = at(add.slot + 1);
  if (isa::form(load.op) != Form::Load || load.insn.src != add.insn.dst) return 0;
  return access(load, add.insn.dst, Indexed{reg(add.insn.dst), reg(add.insn.src), 0, load.insn.off}) ? 2 : 0;
}

void Compiler::rotate(Width width, Reg to, Reg from, std::uint8_t right) {
  if (to == from) return a_.shift(x64::Shift::Ror, width, to, right);
  if (order_.features.bmi2) return a_.rorx(width, to, from, right);
  a_.mov(width, to, from);
  a_.shift(x64::Shift::Ror, width, to, right);
}

//   a = x, a >>= n, x <<= bits - n, x |= a           and the same with a second copy of x in place of x,
//   a = x, a >>= n, b = x, b <<= bits - n, b |= a    or with the shifts the other way round
std::uint32_t Compiler::fuse_rotation(const At& move, const At& shift) {
  const std::uint8_t a = move.insn.dst, x = move.insn.src;
  const std::uint32_t bits = move.width == Width::W64 ? 64 : 32;
  const bool right = isa::alu_op(shift.op) == AluOp::Rsh;
  const auto by = static_cast<std::uint32_t>(shift.insn.imm);
  if (by == 0 || by >= bits) return 0;
  std::uint32_t slot = shift.slot + 1;
  std::uint8_t b = x;
  if (follows(slot) && survey_.ops[slot] == move.op && insn(slot).src == x && insn(slot).dst != a &&
      insn(slot).dst != x)
    b = insn(slot++).dst;
  if (!follows(slot) || !follows(slot + 1)) return 0;
  const At back = at(slot), join = at(slot + 1);
  if (!is_alu(back.op, right ? AluOp::Lsh : AluOp::Rsh, Form::AluImm) || !is_alu(join.op, AluOp::Or, Form::AluReg))
    return 0;
  if (back.width != move.width || join.width != move.width) return 0;
  if (back.insn.dst != b || static_cast<std::uint32_t>(back.insn.imm) != bits - by) return 0;
  if (join.insn.dst != b || join.insn.src != a) return 0;
  if (!dead_after(join.slot, a)) {
    a_.mov(move.width, reg(a), reg(x));
    a_.shift(right ? x64::Shift::Shr : x64::Shift::Shl, move.width, reg(a), static_cast<std::uint8_t>(by));
  }
  rotate(move.width, reg(b), reg(x), static_cast<std::uint8_t>(right ? by : bits - by));
  return join.slot + 1 - move.slot;
}

// ---- Loads

std::uint32_t Compiler::fuse_load(const At& at) {
  if (const std::uint32_t done = fuse_update(at); done != 0) return done;
  if (const std::uint32_t done = fuse_operand(at); done != 0) return done;
  if (at.width == Width::W8 || !follows(at.slot + 1)) return 0;
  const At next = this->at(at.slot + 1);
  if (isa::form(next.op) != Form::AluUnary || next.insn.dst != at.insn.dst) return 0;
  const Reg to = reg(at.insn.dst);
  const Mem from{reg(at.insn.src), at.insn.off};
  const AluOp op = isa::alu_op(next.op);
  if (at.width == Width::W16 && (op == AluOp::Be16 || op == AluOp::Swap16)) {
    a_.load(Width::W16, to, from);
    a_.shift(x64::Shift::Rol, Width::W16, to, 8);  // the rest is zero already
    return 2;
  }
  const bool swaps = (at.width == Width::W32 && (op == AluOp::Be32 || op == AluOp::Swap32)) ||
                     (at.width == Width::W64 && (op == AluOp::Be64 || op == AluOp::Swap64));
  if (!swaps || !order_.features.movbe) return 0;
  a_.movbe_load(at.width, to, from);
  return 2;
}

//   a = [p], b op= a      where nobody asks for a afterwards
std::uint32_t Compiler::fuse_operand(const At& load) {
  if (!follows(load.slot + 1)) return 0;
  const At next = at(load.slot + 1);
  if (isa::form(next.op) != Form::AluReg || next.width != load.width || next.insn.src != load.insn.dst ||
      next.insn.dst == load.insn.dst || !dead_after(next.slot, load.insn.dst))
    return 0;
  const AluRow& row = kAluRows[static_cast<std::size_t>(isa::alu_op(next.op))];
  const Mem from{reg(load.insn.src), load.insn.off};
  if (row.write == &Compiler::binary)
    a_.alu(static_cast<Alu>(row.operation), next.width, reg(next.insn.dst), from);
  else if (row.write == &Compiler::multiply)
    a_.imul(next.width, reg(next.insn.dst), from);
  else
    return 0;
  return 2;
}

// ---- Elements of tables at known addresses

//   a = address, a += b, and an access through a, which nobody asks for afterwards; with `index` not rsp, b has been
//   found to be that register, still to be shifted by `log`
std::uint32_t Compiler::fuse_element(const At& address, Reg index, std::uint8_t log) {
  const std::uint32_t slot = address.slot + 2;
  if (!follows(slot) || !follows(slot + 1)) return 0;
  const At add = at(slot), user = at(slot + 1);
  const unsigned a = address.insn.dst, b = add.insn.src;
  if (add.op != Op::Add64Reg || add.insn.dst != a || b == a) return 0;
  if (index != Reg::Rsp && index != reg(b)) return 0;
  // The address comes first, so the access must not need what was in its register; it may read b, but not shifted.
  const bool stores = isa::form(user.op) == Form::StoreReg;
  if (stores && (user.insn.src == a || (log != 0 && user.insn.src == b))) return 0;
  if (log != 0 && !dead_after(user.slot, b) && user.insn.dst != b) return 0;
  if (isa::form(user.op) == Form::Load ? user.insn.src != a : user.insn.dst != a) return 0;
  if (isa::form(user.op) != Form::Load && !stores && isa::form(user.op) != Form::StoreImm) return 0;
  if (!dead_after(user.slot, a) && !(isa::form(user.op) == Form::Load && user.insn.dst == a)) return 0;
  a_.mov(reg(a), order_.values[address.slot]);
  access(user, a, Indexed{reg(a), reg(b), log, user.insn.off});
  return 4;
}

//   b <<= 1, 2 or 3, and the above
std::uint32_t Compiler::fuse_scaled(const At& shift) {
  const std::uint32_t slot = shift.slot + 1;
  if (shift.insn.imm < 1 || shift.insn.imm > 3 || !follows(slot)) return 0;
  const At address = at(slot);
  if (address.op == Op::Mov64Reg) return fuse_scaled_sum(shift, address);
  if (isa::form(address.op) != Form::LoadImm64 || address.op == Op::LdFunc || address.insn.dst == shift.insn.dst)
    return 0;
  const std::uint32_t done = fuse_element(address, reg(shift.insn.dst), static_cast<std::uint8_t>(shift.insn.imm));
  return done == 0 ? 0 : done + 1;
}

//   b <<= 1, 2 or 3, a = p, a += b, and a load through a, where nobody asks for a or b afterwards
std::uint32_t Compiler::fuse_scaled_sum(const At& shift, const At& move) {
  const std::uint32_t slot = move.slot + 1;
  if (!follows(slot) || !follows(slot + 1)) return 0;
  const At add = at(slot), load = at(slot + 1);
  const unsigned a = move.insn.dst, b = shift.insn.dst, p = move.insn.src;
  if (add.op != Op::Add64Reg || add.insn.dst != a || add.insn.src != b || a == b || p == b || p == a) return 0;
  if (isa::form(load.op) != Form::Load || load.insn.src != a) return 0;
  for (const unsigned gone : {a, b})
    if (load.insn.dst != gone && !dead_after(load.slot, gone)) return 0;
  a_.load(load.width, reg(load.insn.dst),
          Indexed{reg(p), reg(b), static_cast<std::uint8_t>(shift.insn.imm), load.insn.off});
  return 4;
}

// What joined_bytes.cc found.
void Compiler::load_joined(const At& at) {
  const JoinedBytes& number = survey_.joined_at(at.slot);
  const Reg to = reg(at.insn.dst);
  const Mem from{reg(number.base), number.offset};
  const Width width = width_of(8U * number.bytes);
  if (number.swapped && width != Width::W16 && order_.features.movbe) return a_.movbe_load(width, to, from);
  a_.load(width, to, from);
  if (!number.swapped) return;
  if (width == Width::W16)
    a_.shift(x64::Shift::Rol, Width::W16, to, 8);
  else
    a_.bswap(width, to);
}

// ---- Memory that an operation changes: counters

//   a = [p], a op= x, [p] = a
std::uint32_t Compiler::fuse_update(const At& at) {
  if (!follows(at.slot + 1) || !follows(at.slot + 2)) return 0;
  const At change = this->at(at.slot + 1), store = this->at(at.slot + 2);
  const Form form = isa::form(change.op);
  if ((form != Form::AluImm && form != Form::AluReg) || isa::form(store.op) != Form::StoreReg) return 0;
  const AluRow& row = kAluRows[static_cast<std::size_t>(isa::alu_op(change.op))];
  if (row.write != &Compiler::binary || change.insn.dst != at.insn.dst) return 0;
  if (store.insn.src != at.insn.dst || store.insn.dst != at.insn.src || store.insn.off != at.insn.off) return 0;
  if (store.width != at.width || at.insn.dst == at.insn.src || !dead_after(store.slot, at.insn.dst)) return 0;
  // An operation on fewer bits than are stored clears the others.
  if (at.width == Width::W64 && change.width != Width::W64) return 0;
  const Mem where{reg(at.insn.src), at.insn.off};
  const auto op = static_cast<Alu>(row.operation);
  if (form == Form::AluImm) {
    a_.alu(op, at.width, where, change.insn.imm);
    return 3;
  }
  if (at.width == Width::W8 || at.width == Width::W16 || change.insn.src == at.insn.dst) return 0;
  a_.alu(op, at.width, where, reg(change.insn.src));
  return 3;
}

// ---- Shifts up and down again: the low bits, extended

std::uint32_t Compiler::fuse_shifts(const At& at) {
  if (const std::uint32_t done = fuse_scaled(at); done != 0) return done;
  if (!follows(at.slot + 1)) return 0;
  const At next = this->at(at.slot + 1);
  if ((next.op != Op::Rsh64Imm && next.op != Op::Arsh64Imm) || next.insn.dst != at.insn.dst ||
      next.insn.imm != at.insn.imm)
    return 0;
  const std::int32_t kept = 64 - at.insn.imm;
  if (kept != 8 && kept != 16 && kept != 32) return 0;
  const Width width = width_of(static_cast<unsigned>(kept));
  const Reg to = reg(at.insn.dst);
  if (next.op == Op::Arsh64Imm) {
    a_.movsx(width, Width::W64, to, to);
  } else if (width == Width::W32) {
    a_.mov(width, to, to);
  } else {
    a_.movzx(width, to, to);
  }
  return 2;
}

// ---- Jumps over one instruction

std::uint32_t Compiler::fuse_jump(const At& at) {
  if (!follows(at.slot + 1) || order_.counting == Counting::Yes) return 0;
  const At skipped = this->at(at.slot + 1);
  if (at.insn.off != 1) return joins(at, skipped.slot + 1) ? fuse_choice(at, skipped) : 0;
  if (isa::form(skipped.op) == Form::Goto || isa::form(skipped.op) == Form::GotoLong) {
    compare(at.width, isa::jump_op(at.op), reg(at.insn.dst), source(at, isa::form(at.op) == Form::JumpReg));
    a_.jump(!condition_of(isa::jump_op(at.op)), label_of(*isa::jump_target(skipped.op, skipped.insn, skipped.slot)));
    return 2;
  }
  return fuse_choice(at, skipped);
}

// Whether the instruction at `slot` goes where the jump before it leads.
bool Compiler::joins(const At& jump, std::uint32_t slot) const {
  if (!follows(slot) || (isa::form(survey_.ops[slot]) != Form::Goto && isa::form(survey_.ops[slot]) != Form::GotoLong))
    return false;
  return isa::jump_target(survey_.ops[slot], insn(slot), slot) == isa::jump_target(jump.op, jump.insn, jump.slot);
}

// One of two values, which the source had as one: `other` is what is put in place of the first where the jump is not
// taken. Of registers only those that were compared, or a copy of one, as in the least and the greatest: other choices
// are often the way on in a search, and a load that waits for the choice costs more than a wrong guess now and then.
std::uint32_t Compiler::fuse_choice(const At& jump, const At& other) {
  const unsigned to = other.insn.dst;
  const auto is_compared = [&](unsigned number) { return (survey_.uses[jump.slot].reads >> number & 1U) != 0; };
  const bool has_before =
      jump.slot > function_->start && follows(jump.slot) && survey_.at(jump.slot - 1, Survey::kFirst);
  const At before = this->at(has_before ? jump.slot - 1 : jump.slot);
  const bool is_load = isa::form(other.op) == Form::Load;
  if (is_load) {  // of what was loaded for the comparison: spilled, and given back once more
    const bool again = has_before && before.op == other.op && before.insn.src == kFramePointer &&
                       other.insn.src == kFramePointer && before.insn.off == other.insn.off;
    if (!again || !is_compared(before.insn.dst)) return 0;
  } else if (other.op == Op::Mov64Reg || other.op == Op::Mov32Reg) {
    const bool is_copy = has_before && isa::form(before.op) == Form::MovReg && before.insn.dst == to;
    if (!is_compared(other.insn.src) && !is_compared(to) && !(is_copy && is_compared(before.insn.src))) return 0;
  } else if (other.op != Op::Mov64Imm && other.op != Op::Mov32Imm) {
    return 0;
  }
  Width width = Width::W64;
  Reg value = kScratch;
  if (is_load) {
    value = reg(before.insn.dst);
  } else if (other.op == Op::Mov64Reg) {
    value = reg(other.insn.src);
  } else if (other.op == Op::Mov32Reg &&
             ((has_before && before.op == Op::Mov32Reg && before.insn.dst == to) || has_no_upper_half(to))) {
    width = Width::W32;
    value = reg(other.insn.src);
  } else {
    move(other.width, 0, kScratch, source(other, other.op == Op::Mov32Reg));
  }
  a_.cmov(!compare_by_carry(jump), width, reg(to), value);
  return 2;
}

// Compares as a jump does. Above a number is at least the next: that the carry alone tells, where telling by carry and
// zero takes a processor twice the work.
Condition Compiler::compare_by_carry(const At& jump) {
  isa::JumpOp op = isa::jump_op(jump.op);
  Source b = source(jump, isa::form(jump.op) == Form::JumpReg);
  const bool has_next = !b.is_register && b.number != -1 && b.number != std::numeric_limits<std::int32_t>::max();
  if (has_next && (op == isa::JumpOp::Gt || op == isa::JumpOp::Le)) {
    op = op == isa::JumpOp::Gt ? isa::JumpOp::Ge : isa::JumpOp::Lt;
    ++b.number;
  }
  compare(jump.width, op, reg(jump.insn.dst), b);
  return condition_of(op);
}

//   a = 1, if ... goto over, a = 0, over:     or with 0 and 1 the other way round
std::uint32_t Compiler::fuse_truth(const At& at) {
  if (at.insn.imm < 0 || at.insn.imm > 1 || order_.counting == Counting::Yes) return 0;
  if (!follows(at.slot + 1) || !follows(at.slot + 2)) return 0;
  const At jump = this->at(at.slot + 1), other = this->at(at.slot + 2);
  const Form form = isa::form(jump.op);
  if ((form != Form::JumpImm && form != Form::JumpReg) || jump.insn.off != 1) return 0;
  if (isa::form(other.op) != Form::MovImm || other.insn.dst != at.insn.dst || other.insn.imm != 1 - at.insn.imm)
    return 0;
  if ((survey_.uses[jump.slot].reads >> at.insn.dst & 1) != 0) return 0;
  const Reg to = reg(at.insn.dst);
  const bool halves = is_halving(at, jump);
  a_.mov(to, 0);
  if (halves) prepare_halving(this->at(at.slot + 3), this->at(at.slot + 4));
  Condition holds = halves && asks_for_upper_half(jump, this->at(at.slot + 4), this->at(at.slot + 3).insn.imm)
                        ? Condition::NE
                        : compare_by_carry(jump);
  if (at.insn.imm == 0) holds = !holds;
  a_.set(holds, to);
  if (!halves) return 3;
  const At up = this->at(at.slot + 3), down = this->at(at.slot + 4);
  a_.cmov(holds, down.width, reg(down.insn.dst), kScratch);
  a_.shift(x64::Shift::Shl, up.width, to, static_cast<std::uint8_t>(up.insn.imm));
  return 5;
}

// A truth about x that becomes a distance by which x is shifted, as where logarithms are found by halves:
//   a = x > 0xff, a <<= 3, x >>= a
bool Compiler::is_halving(const At& truth, const At& jump) const {
  const std::uint32_t slot = truth.slot + 3;  // which the jump leads to
  if (survey_.at(slot, (kApart & ~Survey::kTarget) | Survey::kTargets) || !follows(slot + 1)) return false;
  const At up = at(slot), down = at(slot + 1);
  const unsigned a = truth.insn.dst, x = jump.insn.dst;
  if ((up.op != Op::Lsh32Imm && up.op != Op::Lsh64Imm) || up.insn.dst != a || up.insn.imm < 1) return false;
  if ((down.op != Op::Rsh32Reg && down.op != Op::Rsh64Reg) || down.insn.dst != x || down.insn.src != a) return false;
  return x != a && up.insn.imm < 6 && 1U << up.insn.imm < isa::bits(down.op);
}

// Whether the truth is that x has bits above those that it is shifted by: the shift itself tells.
bool Compiler::asks_for_upper_half(const At& jump, const At& down, std::int32_t up) const {
  return jump.op == (down.width == Width::W64 ? Op::JGt64Imm : Op::JGt32Imm) &&
         jump.insn.imm == (std::int64_t{1} << (1U << static_cast<unsigned>(up))) - 1;
}

// The shifted x, so that it is there when the truth is.
void Compiler::prepare_halving(const At& up, const At& down) {
  a_.mov(down.width, kScratch, reg(down.insn.dst));
  a_.shift(x64::Shift::Shr, down.width, kScratch, static_cast<std::uint8_t>(1U << up.insn.imm));
}

// ---- Stores of neighbouring bytes

//   [p] = a, a >>= 8, [p + 1] = a      bytes: one store of two
std::uint32_t Compiler::fuse_halves(const At& store) {
  if (store.width != Width::W8 || !follows(store.slot + 1) || !follows(store.slot + 2)) return 0;
  const At shift = at(store.slot + 1), second = at(store.slot + 2);
  if ((shift.op != Op::Rsh32Imm && shift.op != Op::Rsh64Imm) || shift.insn.imm != 8) return 0;
  if (shift.insn.dst != store.insn.src || store.insn.src == store.insn.dst) return 0;
  if (second.op != store.op || second.insn.dst != store.insn.dst || second.insn.src != store.insn.src ||
      second.insn.off != store.insn.off + 1)
    return 0;
  a_.store(Width::W16, Mem{reg(store.insn.dst), store.insn.off}, reg(store.insn.src));
  if (!dead_after(second.slot, store.insn.src)) a_.shift(x64::Shift::Shr, shift.width, reg(store.insn.src), 8);
  return 3;
}

}  // namespace skep::jit::x64
