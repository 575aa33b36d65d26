// Jumps, and what both sides of a conditional one learn.
#include "verifier/domain/branch.h"

#include <algorithm>
#include <array>
#include <optional>

#include "verifier/step/walk.h"

namespace skep::verifier {
namespace {

using isa::Insn;
using isa::JumpOp;
using isa::Op;

// Scalars linked to a branch's operands that are told what it means.
constexpr std::size_t kMaxLinked = 6;

std::size_t target(const Walk& walk, Op op, const Insn& insn) {
  return static_cast<std::size_t>(*isa::jump_target(op, insn, walk.index));
}

// What is known of `from` holds for `to`, which is the same number, or one at a known distance.
void copy_knowledge(Register& to, const Register& from, Rules rules) {
  const bool written = to.written;
  if ((!to.is_offset && !from.is_offset) || to.offset == from.offset) {
    to = from;
  } else {
    const std::int32_t offset = to.offset;
    const std::uint64_t distance = static_cast<std::uint64_t>(std::int64_t{offset} - from.offset);
    const Scalar64 by = Scalar64::constant(distance);
    const bool is_offset = to.is_offset;
    to = from;
    to.offset = offset;
    to.is_offset = is_offset;
    to.number.half.add(by.half, rules);
    to.number.full.add(by.full, rules);
    to.number.bits = to.number.bits + by.bits;
    to.number.sync(rules);
  }
  to.written = written;
}

// The places whose numbers are linked to an operand of the branch. What does not fit the set loses its link.
class LinkedSet {
 public:
  void collect(Frame& frame, std::uint32_t id, unsigned live) {
    for (unsigned i = 0; i < frame.registers.size(); ++i)
      if (live >> i & 1) take(frame.registers[i], id, i);
    for (std::size_t i = 0; i < frame.stack.size(); ++i)
      if (frame.stack[i].holds_register()) take(frame.stack[i].spilled, id, isa::kRegisters + i);
  }
  // What is known of register `number` is told to the others of its id.
  void tell(Frame& frame, unsigned number, Rules rules) const {
    const Register& known = frame.registers[number];
    if (!known.is_scalar() || known.id == 0) return;
    for (std::size_t i = 0; i < count_; ++i) {
      Register& value = at(frame, places_[i]);
      if (&value != &known && value.is_scalar() && value.id == known.id) copy_knowledge(value, known, rules);
    }
  }

 private:
  static Register& at(Frame& frame, std::size_t place) {
    if (place < isa::kRegisters) return frame.registers[place];
    return frame.stack[place - isa::kRegisters].spilled;
  }
  void take(Register& value, std::uint32_t id, std::size_t place) {
    if (!value.is_scalar() || value.id != id) return;
    if (count_ == places_.size())
      value.id = 0;
    else
      places_[count_++] = place;
  }

  std::array<std::size_t, kMaxLinked> places_{};  // a register, or a slot behind the registers
  std::size_t count_ = 0;
};

struct Comparison {
  JumpOp op;
  Part part;
  unsigned dst;
  bool by_register;
  unsigned src;
  Register constant;  // the immediate

  Register& source(Frame& frame) { return by_register ? frame.registers[src] : constant; }
};

// ---- Packet pointers ----

// The farthest a packet pointer may be and still be compared with the end, in bytes.
constexpr std::uint64_t kMaxPacketOffset = 0xffff;

// A comparison of a packet pointer with its end, turned so that the pointer comes first; META compares with the start.
struct PacketComparison {
  JumpOp op;
  unsigned pointer;
};

bool is_start(const Register& reg) {
  return reg.kind == Kind::Packet && reg.offset == 0 && reg.number.is_constant() && reg.number.value() == 0;
}
bool ends(const Register& pointer, const Register& end) {
  return (pointer.kind == Kind::Packet && end.kind == Kind::PacketEnd) ||
         (pointer.kind == Kind::PacketMeta && is_start(end));
}

bool orders(JumpOp op) { return op == JumpOp::Gt || op == JumpOp::Ge || op == JumpOp::Lt || op == JumpOp::Le; }

std::optional<PacketComparison> packet_comparison(const Frame& frame, const Comparison& comparison) {
  if (!comparison.by_register || comparison.part == Part::Half || !orders(comparison.op)) return std::nullopt;
  const Register &a = frame.registers[comparison.dst], &b = frame.registers[comparison.src];
  if (ends(a, b)) return PacketComparison{comparison.op, comparison.dst};
  if (ends(b, a)) return PacketComparison{flipped(comparison.op), comparison.src};
  return std::nullopt;
}

// What earlier comparisons said of a pointer that was not inside.
Outcome packet_outcome(const Register& pointer, JumpOp op) {
  if (pointer.range >= 0) return Outcome::Unknown;
  const bool beyond = pointer.range == kBeyondPacketEnd;
  if (op == JumpOp::Gt || op == JumpOp::Le)
    return !beyond ? Outcome::Unknown : op == JumpOp::Gt ? Outcome::Always : Outcome::Never;
  return op == JumpOp::Ge ? Outcome::Always : Outcome::Never;
}

enum class Open : std::uint8_t { No, Yes };  // whether the byte at the pointer is there too

// `pointer` is inside the packet: every pointer with its id may access what lies before it.
void widen_ranges(Frame& frame, unsigned number, Open open) {
  const Register pointer = frame.registers[number];
  if (pointer.offset < 0 || (pointer.offset == 0 && open == Open::Yes)) return;
  const std::uint64_t most = pointer.number.full.umax;
  if (most > kMaxPacketOffset || most + static_cast<std::uint64_t>(pointer.offset) > kMaxPacketOffset) return;
  const std::int32_t range = pointer.offset + (open == Open::Yes ? 1 : 0);
  const auto widen = [&](Register& reg) {
    if (reg.kind == pointer.kind && reg.id == pointer.id) reg.range = std::max(reg.range, range);
  };
  for (Register& reg : frame.registers) widen(reg);
  for (Slot& slot : frame.stack)
    if (slot.holds_register()) widen(slot.spilled);
}

void mark_outside(Frame& frame, unsigned number, std::int32_t where) {
  if (frame.registers[number].kind == Kind::Packet) frame.registers[number].range = where;
}

// On one side the pointer is inside, on the other it is not: `taken` is the state where the jump is taken.
void learn_packet(const PacketComparison& comparison, Frame& taken, Frame& other) {
  const bool inside_taken = comparison.op == JumpOp::Lt || comparison.op == JumpOp::Le;
  // pointer < end, and not pointer >= end: the byte at the pointer is there.
  const Open open = comparison.op == JumpOp::Lt || comparison.op == JumpOp::Ge ? Open::Yes : Open::No;
  widen_ranges(inside_taken ? taken : other, comparison.pointer, open);
  mark_outside(inside_taken ? other : taken, comparison.pointer, open == Open::Yes ? kAtPacketEnd : kBeyondPacketEnd);
}

// Learns on one side of the branch. The immediate is learnt about too, to no effect.
Checked learn(Walk& walk, Frame& frame, Comparison comparison, const LinkedSet& linked, Side side) {
  Register& a = frame.registers[comparison.dst];
  Register& b = comparison.source(frame);
  if (a.is_scalar() && b.is_scalar()) {
    if (&a == &b) {
      Scalar64 same = b.number;
      refine(comparison.op, comparison.part, side, a.number, same, walk.rules);
    } else {
      refine(comparison.op, comparison.part, side, a.number, b.number, walk.rules);
    }
    const std::string_view where = side == Side::Taken ? "true_reg1" : "false_reg1";
    TRY_VOID(walk.settle(a, where));
    TRY_VOID(walk.settle(b, side == Side::Taken ? "true_reg2" : "false_reg2"));
  }
  if (comparison.by_register) linked.tell(frame, comparison.src, walk.rules);
  linked.tell(frame, comparison.dst, walk.rules);
  return {};
}

Checked step_conditional(Walk& walk, Op op, const Insn& insn) {
  Comparison comparison{isa::jump_op(op), isa::bits(op) == 64 ? Part::Full : Part::Half,
                        insn.dst,         isa::form(op) == isa::Form::JumpReg,
                        insn.src,         Register::constant(static_cast<std::uint64_t>(std::int64_t{insn.imm}))};
  TRY_VOID(walk.check_read(insn.dst));
  if (isa::stray_fields(op, insn) != 0) return walk.reject(EINVAL, "BPF_JMP/JMP32 uses reserved fields");
  if (comparison.by_register) TRY_VOID(walk.check_read(insn.src));
  const Register& a = walk.reg(insn.dst);
  const Register& b = comparison.source(walk.frame);
  if (comparison.by_register && insn.dst == insn.src && a.is_scalar() && !a.is_constant())
    return walk.unsupported("comparing a register with itself");

  Outcome known = Outcome::Unknown;
  if (a.is_scalar() && b.is_scalar()) known = outcome(comparison.op, comparison.part, a.number, b.number, walk.rules);
  const auto packet = packet_comparison(walk.frame, comparison);
  if (packet && (a.kind == Kind::PacketEnd || b.kind == Kind::PacketEnd))
    known = packet_outcome(walk.reg(packet->pointer), packet->op);
  if (known == Outcome::Always) walk.next = target(walk, op, insn);
  if (known == Outcome::Unknown) {
    if (walk.forks.size() >= kMaxForks)
      return walk.reject(E2BIG, "The sequence of {} jumps is too complex.", walk.forks.size() + 1);
    LinkedSet linked;
    const unsigned live = walk.live_before.empty() ? ~0U : walk.live_before[walk.index];
    for (const Register* operand : {&b, &a})
      if (operand->is_scalar() && operand->id != 0) linked.collect(walk.frame, operand->id, live);
    walk.forks.push_back({walk.frame, target(walk, op, insn), walk.index, walk.log.size()});
    if (packet) learn_packet(*packet, walk.forks.back().frame, walk.frame);
    TRY_VOID(learn(walk, walk.forks.back().frame, comparison, linked, Side::Taken));
    TRY_VOID(learn(walk, walk.frame, comparison, linked, Side::NotTaken));
  }
  if (walk.log.shows_walk()) {
    walk.log.changes(walk.index, walk.frame, walk.changes);
    walk.changes = {};
  }
  return {};
}

}  // namespace

Checked step_jump(Walk& walk, Op op, const Insn& insn) {
  switch (isa::form(op)) {
    case isa::Form::Goto:
    case isa::Form::GotoLong:
      if (isa::stray_fields(op, insn) != 0) return walk.reject(EINVAL, "BPF_JA uses reserved fields");
      walk.next = target(walk, op, insn);
      return {};
    case isa::Form::JumpImm:
    case isa::Form::JumpReg: return step_conditional(walk, op, insn);
    default: return walk.unsupported("jump {:#04x}", insn.code);
  }
}

}  // namespace skep::verifier
