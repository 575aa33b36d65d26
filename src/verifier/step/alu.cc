// Arithmetic and moves, on scalars and on pointers.
#include "verifier/domain/alu.h"

#include <algorithm>
#include <array>

#include "verifier/step/sanitize.h"
#include "verifier/step/walk.h"

namespace skep::verifier {
namespace {

using isa::AluOp;
using isa::Insn;
using isa::Op;

// The farthest a pointer may be from its object, in bytes.
constexpr std::int64_t kMaxOffset = std::int64_t{1} << 29;
constexpr std::uint8_t kOperation = 0xf0, kBySource = 0x08, kEnd = 0xd0, kNegate = 0x80, kMove = 0xb0;

// Operators as the log names them, by the upper half of the code byte.
constexpr std::array<std::string_view, 16> kOperators = {
    "+=", "-=", "*=", "/=", "|=", "&=", "<<=", ">>=", "neg", "%=", "^=", "=", "s>>=", "end", "???", "???"};

std::string_view reserved_of(const Insn& insn) {
  switch (insn.code & kOperation) {
    case kEnd: return "BPF_END";
    case kNegate: return "BPF_NEG";
    case kMove: return "BPF_MOV";
    default: return "BPF_ALU";
  }
}

// A pointer that must not become a number.
bool is_secret(const Walk& walk, unsigned number) { return !walk.may_leak && walk.peek(number).is_pointer(); }

Part part_of(Op op) { return isa::bits(op) == 64 ? Part::Full : Part::Half; }

Register immediate(const Insn& insn) { return Register::constant(static_cast<std::uint64_t>(std::int64_t{insn.imm})); }

// 6.18 follows a number through a change of byte order: bytes that stay where they are keep their bounds, of bytes that
// move only the bits are known.
Scalar64 reordered(AluOp op, const Scalar64& value, Rules rules) {
  Scalar64 result = value;
  if (op == AluOp::Le64) return result;
  if (op == AluOp::Le32 || op == AluOp::Le16) {
    resize(op == AluOp::Le32 ? 32 : 16, result, rules);
    return result;
  }
  result = {};
  result.bits = {isa::eval<64>(op, value.bits.value, 0), isa::eval<64>(op, value.bits.mask, 0)};
  result.sync(rules);
  return result;
}

Checked step_unary(Walk& walk, Op op, const Insn& insn) {
  TRY_VOID(walk.check_read(insn.dst));
  if (is_secret(walk, insn.dst)) return walk.reject(EACCES, "R{} pointer arithmetic prohibited", insn.dst);
  TRY_VOID(walk.check_write(insn.dst));
  Scalar64 result = Scalar64::unknown();
  const Register operand = walk.peek(insn.dst);
  if (operand.is_scalar() && isa::alu_op(op) == AluOp::Neg) {
    result = operand.number;
    negate(part_of(op), result, walk.rules);
  } else if (operand.is_scalar() && walk.rules != Rules::Linux612) {
    result = reordered(isa::alu_op(op), operand.number, walk.rules);
  }
  walk.set(insn.dst, Register::scalar(result));
  return walk.settle(walk.reg(insn.dst), "alu");
}

// The number of bits a sign-extending move starts from; 0 for a plain move.
unsigned extended_bits(AluOp op) {
  switch (op) {
    case AluOp::MovSx8: return 8;
    case AluOp::MovSx16: return 16;
    case AluOp::MovSx32: return 32;
    default: return 0;
  }
}

void extend(unsigned from, Part part, Scalar64& value, Rules rules) {
  if (from == 8) return detail::extend_sign<8>(part, value, rules);
  if (from == 16) return detail::extend_sign<16>(part, value, rules);
  return detail::extend_sign<32>(part, value, rules);
}

// The copy is the same number as its source, so that what is learnt of one holds for the other.
bool keeps_value(const Register& source, unsigned from, Part part) {
  if (from != 0) return source.number.full.umax < std::uint64_t{1} << (from - 1);
  return part == Part::Full || source.number.full.umax <= Scalar64::kHalfMask;
}

Checked step_move(Walk& walk, Op op, const Insn& insn) {
  const Part part = part_of(op);
  if (isa::form(op) == isa::Form::MovImm) {
    TRY_VOID(walk.check_write(insn.dst));
    const auto wide = static_cast<std::uint64_t>(std::int64_t{insn.imm});
    walk.set(insn.dst, Register::constant(part == Part::Full ? wide : isa::zext<32>(wide)));
    return {};
  }
  TRY_VOID(walk.check_read(insn.src));
  TRY_VOID(walk.check_write(insn.dst));
  const unsigned from = extended_bits(isa::alu_op(op));
  Register& source = walk.reg(insn.src);
  if (source.is_pointer() && (part == Part::Half || from != 0)) {  // a part of a pointer is a number
    if (is_secret(walk, insn.src))
      return walk.reject(EACCES, "R{} {} of pointer", insn.src,
                         part == Part::Half ? "partial copy" : "sign-extension part");
    Scalar64 number = Scalar64::unknown();
    if (part == Part::Half) move(part, number, Scalar64::unknown(), walk.rules);
    walk.set(insn.dst, Register::scalar(number));
    return {};
  }
  const bool same = keeps_value(source, from, part);
  if (same) walk.link(source);
  Register copy = source;
  if (!same) copy.unlink();
  if (from != 0)
    extend(from, part, copy.number, walk.rules);
  else if (copy.is_scalar())
    move(part, copy.number, Scalar64(copy.number), walk.rules);
  walk.set(insn.dst, copy);
  return walk.settle(walk.reg(insn.dst), "alu");
}

// ---- Pointers ----

// The object lets its pointers be moved at all.
bool can_move(const Register& pointer, const Scalar64& by, AluOp op) {
  switch (pointer.kind) {
    case Kind::Context:
    case Kind::MapValue:
    case Kind::MapKey:
    case Kind::Stack:
    case Kind::PacketMeta:
    case Kind::Packet:
    case Kind::TpBuffer:
    case Kind::Btf:
    case Kind::Memory:
    case Kind::Buffer:
    case Kind::Function:
    case Kind::Dynptr: return true;
    case Kind::FlowKeys:
      if (by.is_constant()) return true;
      [[fallthrough]];
    case Kind::MapPointer: return by.is_constant() && by.value() == 0 && op == AluOp::Add;
    default: return false;
  }
}

bool is_impossible(const Scalar64& by) {
  const bool known = by.is_constant();
  return (known && (by.full.smin != by.full.smax || by.full.umin != by.full.umax)) || by.full.smin > by.full.smax ||
         by.full.umin > by.full.umax;
}

Checked check_sane(Walk& walk, const Register& value, const Register& object) {
  const std::string pointer = object.type_name();
  const Scalar64& number = value.number;
  const std::int64_t smin = number.full.smin;
  if (number.is_constant()) {
    const auto x = static_cast<std::int64_t>(number.value());
    if (x >= kMaxOffset || x <= -kMaxOffset)
      return walk.reject(EINVAL, "math between {} pointer and {} is not allowed", pointer, x);
  }
  if (value.offset >= kMaxOffset || value.offset <= -kMaxOffset)  // of a linked scalar too
    return walk.reject(EINVAL, "{} pointer offset {} is not allowed", pointer, value.offset);
  if (smin == Scalar64::Full::kSmin)
    return walk.reject(EINVAL, "math between {} pointer and register with unbounded min value is not allowed", pointer);
  if (smin >= kMaxOffset || smin <= -kMaxOffset)
    return walk.reject(EINVAL, "value {} makes {} pointer be out of bounds", smin, pointer);
  return {};
}

// Whether the sum is one of fixed offsets, which a pointer keeps apart from its variable one.
bool is_fixed(const Register& pointer, const Scalar64& by, AluOp op) {
  if (!by.is_constant()) return false;
  const auto fixed = static_cast<std::int64_t>(by.value());
  const std::int64_t sum = op == AluOp::Add ? pointer.offset + fixed : pointer.offset - fixed;
  return sum == static_cast<std::int32_t>(sum);
}

// A packet pointer that moved by a variable distance is another one: what was proven of the old one is of no use to it.
void renew(Walk& walk, Register& pointer, const Scalar64& by, AluOp op) {
  pointer.id = ++walk.last_id;
  if (op == AluOp::Add || by.full.smin < 0) pointer.word = pointer.word2 = 0;
}

void add_offset(Walk& walk, Register& to, const Register& pointer, const Scalar64& by, AluOp op) {
  to = pointer;
  to.number.half = {};
  if (is_fixed(pointer, by, op)) {
    const auto fixed = static_cast<std::int32_t>(by.value());
    to.offset = op == AluOp::Add ? pointer.offset + fixed : pointer.offset - fixed;
    return;
  }
  if (op == AluOp::Add) {
    to.number.full.add(by.full, walk.rules);
    to.number.bits = to.number.bits + by.bits;
  } else {
    to.number.full.subtract(by.full, walk.rules);
    to.number.bits = to.number.bits - by.bits;
  }
  if (to.is_packet()) renew(walk, to, by, op);
}

Checked move_pointer(Walk& walk, Op op, const Insn& insn, const Register& pointer, const Register& by) {
  const Scalar64& number = by.number;
  if (is_impossible(number)) {  // of a branch that is dead
    walk.set(insn.dst, Register::unknown());
    return {};
  }
  if (part_of(op) == Part::Half) {
    if (isa::alu_op(op) == AluOp::Sub && walk.may_leak) {
      walk.set(insn.dst, Register::unknown());
      return {};
    }
    return walk.reject(EACCES, "R{} 32-bit pointer arithmetic prohibited", insn.dst);
  }
  if (pointer.may_be_null())
    return walk.reject(EACCES, "R{} pointer arithmetic on {} prohibited, null-check it first", insn.dst,
                       pointer.type_name());
  if (!can_move(pointer, number, isa::alu_op(op)))
    return walk.reject(EACCES, "R{} pointer arithmetic on {} prohibited", insn.dst, pointer.type_name());
  TRY_VOID(check_sane(walk, by, pointer));
  TRY_VOID(check_sane(walk, pointer, pointer));
  PointerMasking masking(walk, insn);
  TRY_VOID(masking.begin(pointer, by));
  Register result;
  switch (isa::alu_op(op)) {
    case AluOp::Sub:
      if (!walk.reg(insn.dst).is_pointer())
        return walk.reject(EACCES, "R{} tried to subtract pointer from scalar", insn.dst);
      if (pointer.kind == Kind::Stack)
        return walk.reject(EACCES, "R{} subtraction from stack pointer prohibited", insn.dst);
      [[fallthrough]];
    case AluOp::Add: add_offset(walk, result, pointer, number, isa::alu_op(op)); break;
    case AluOp::And:
    case AluOp::Or:
    case AluOp::Xor:
      return walk.reject(EACCES, "R{} bitwise operator {} on pointer prohibited", insn.dst, kOperators[insn.code >> 4]);
    default:
      return walk.reject(EACCES, "R{} pointer arithmetic with {} operator prohibited", insn.dst,
                         kOperators[insn.code >> 4]);
  }
  TRY_VOID(check_sane(walk, result, pointer));
  result.number.sync(walk.rules);
  walk.set(insn.dst, result);
  TRY_VOID(masking.finish());
  return walk.settle(walk.reg(insn.dst), "alu");
}

// ---- Two operands ----

// r += constant keeps its id, with the distance; anything else is a new number. 6.18 also takes negative constants and
// subtraction.
void relink(Register& dst, Op op, const Register& src, Rules rules) {
  const bool adds = isa::alu_op(op) == AluOp::Add;
  const bool subtracts = isa::alu_op(op) == AluOp::Sub && rules != Rules::Linux612;
  const bool follows = (adds || subtracts) && part_of(op) == Part::Full && dst.id != 0 && src.is_constant();
  if (!follows || dst.is_offset) return dst.unlink();
  const auto value = static_cast<std::int64_t>(src.number.value());
  const std::int64_t least = rules == Rules::Linux612 ? 0 : subtracts ? -std::int64_t{INT32_MAX} : INT32_MIN;
  if (value < least || value > INT32_MAX) return dst.unlink();
  dst.is_offset = true;
  dst.offset = static_cast<std::int32_t>(adds ? value : -value);
}

Checked check_immediate(Walk& walk, Op op, const Insn& insn) {
  const bool by_register = insn.code & kBySource;
  const std::uint8_t operation = insn.code & kOperation;
  if (by_register) return {};
  if ((operation == 0x30 || operation == 0x90) && insn.imm == 0) return walk.reject(EINVAL, "div by zero");
  const bool shift = operation == 0x60 || operation == 0x70 || operation == 0xc0;
  if (shift && (insn.imm < 0 || static_cast<unsigned>(insn.imm) >= isa::bits(op)))
    return walk.reject(EINVAL, "invalid shift {}", insn.imm);
  return {};
}

Checked combine_numbers(Walk& walk, Op op, const Insn& insn, const Register& src) {
  TRY_VOID(note_number_sum(walk, insn));
  Register& result = walk.reg(insn.dst);
  alu(isa::alu_op(op), part_of(op), result.number, src.number, walk.rules);
  relink(result, op, src, walk.rules);
  walk.defined(insn.dst);
  return walk.settle(result, "alu");
}

Checked step_binary(Walk& walk, Op op, const Insn& insn) {
  const bool by_register = insn.code & kBySource;
  if (by_register) TRY_VOID(walk.check_read(insn.src));
  TRY_VOID(walk.check_read(insn.dst));
  TRY_VOID(check_immediate(walk, op, insn));
  TRY_VOID(walk.check_write(insn.dst));
  const Register src = by_register ? walk.peek(insn.src) : immediate(insn);
  const Register& dst = walk.peek(insn.dst);
  if (dst.kind == Kind::Arena || src.kind == Kind::Arena) {  // may be moved at will: what counts is its lower half
    if (part_of(op) == Part::Full) walk.insn_info().narrows = true;
    if (dst.kind != Kind::Arena) walk.set(insn.dst, src);
    return {};
  }
  if (src.is_pointer() && dst.is_pointer()) {
    if (isa::alu_op(op) != AluOp::Sub || !walk.may_leak)
      return walk.reject(EACCES, "R{} pointer {} pointer prohibited", insn.dst, kOperators[insn.code >> 4]);
    walk.set(insn.dst, Register::unknown());
    return {};
  }
  if (src.is_pointer()) {
    TRY_VOID(walk.mark_precise(insn.dst));
    return move_pointer(walk, op, insn, src, Register(dst));
  }
  if (dst.is_pointer()) {
    if (by_register) TRY_VOID(walk.mark_precise(insn.src));
    return move_pointer(walk, op, insn, Register(dst), src);
  }
  return combine_numbers(walk, op, insn, src);
}

// Between the addresses that users have of an arena's memory and those that loads and stores take.
Checked step_cast(Walk& walk, const Insn& insn) {
  if (insn.imm != isa::kToProgram && insn.imm != isa::kToUser)
    return walk.reject(EINVAL, "addr_space_cast insn can only convert between address space 1 and 0");
  if (!walk.arena)
    return walk.reject(EINVAL, "addr_space_cast insn can only be used in a program that has an associated arena");
  TRY_VOID(walk.check_read(insn.src));
  TRY_VOID(walk.check_write(insn.dst));
  walk.set(insn.dst, insn.imm == isa::kToProgram ? Register::pointer(Kind::Arena) : Register::unknown());
  if (insn.imm == isa::kToProgram) walk.reg(insn.dst).half_written_by = static_cast<std::uint32_t>(walk.index) + 1;
  return {};
}

}  // namespace

Checked step_alu(Walk& walk, Op op, const Insn& insn) {
  if (op == Op::CastAddrSpace) return step_cast(walk, insn);
  if ((insn.code & kOperation) > kEnd)
    return walk.reject(EINVAL, "invalid BPF_ALU opcode {:x}", insn.code & kOperation);
  if (op == Op::Invalid || walk.insn_info().has_stray_fields)
    return walk.reject(EINVAL, "{} uses reserved fields", reserved_of(insn));
  switch (isa::form(op)) {
    case isa::Form::AluUnary: return step_unary(walk, op, insn);
    case isa::Form::MovImm:
    case isa::Form::MovReg: return step_move(walk, op, insn);
    case isa::Form::AluImm:
    case isa::Form::AluReg: return step_binary(walk, op, insn);
    default: return walk.reject(EINVAL, "invalid BPF_ALU opcode {:x}", insn.code & kOperation);
  }
}

}  // namespace skep::verifier
