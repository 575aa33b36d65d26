// Jumps, and what both sides of a conditional one learn.
#include <algorithm>
#include <optional>

#include "verifier/domain/branch.h"
#include "verifier/step/loops.h"
#include "verifier/step/nullness.h"
#include "verifier/step/packet_range.h"
#include "verifier/step/walk.h"

namespace skep::verifier {
namespace {

using isa::Insn;
using isa::JumpOp;
using isa::Op;

std::size_t target(const Walk& walk, Op op, const Insn& insn) {
  return static_cast<std::size_t>(*isa::jump_target(op, insn, walk.index));
}

// ---- Linked numbers

// What is known of `from` holds for `to`, which is the same number, or one at a known distance.
void copy_knowledge(Register& to, const Register& from, Rules rules) {
  const std::uint32_t half_written_by = to.half_written_by;
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
  to.half_written_by = half_written_by;
}

const Register& at(const State& state, const LinkedPlace& place) {
  const Frame& frame = *state.frames[place.frame];
  return place.is_slot ? frame.stack[place.number].spilled : frame.registers[place.number];
}
Register& mutable_at(State& state, const LinkedPlace& place) {
  Frame& frame = state.mutable_frame(place.frame);
  return place.is_slot ? frame.stack[place.number].spilled : frame.registers[place.number];
}

// All places whose number has this id. What does not fit the set loses its link.
void collect_linked(LinkedSet& linked, State& state, std::uint32_t id, unsigned live) {
  const auto take = [&](const LinkedPlace& place) {
    const Register& value = at(state, place);
    if (value.is_scalar() && value.id == id && !linked.add(place)) mutable_at(state, place).unlink();
  };
  for (unsigned f = state.top + 1; f-- > 0;) {
    const auto frame = static_cast<std::uint8_t>(f);
    for (unsigned i = 0; i + 1 < isa::kRegisters; ++i)
      if (f != state.top || (live >> i & 1)) take({frame, false, static_cast<std::uint8_t>(i)});
    for (std::size_t i = 0; i < state.frames[f]->stack.size(); ++i)
      if (state.frames[f]->stack[i].holds_register()) take({frame, true, static_cast<std::uint8_t>(i)});
  }
}

// What is known of register `number` is told to the others of its id.
void tell_linked(const LinkedSet& linked, State& state, unsigned number, Rules rules) {
  const Register known = state.frame().registers[number];
  if (!known.is_scalar() || known.id == 0) return;
  for (unsigned i = 0; i < linked.size(); ++i) {
    const LinkedPlace place = linked[i];
    const bool itself = place.frame == state.top && !place.is_slot && place.number == number;
    if (!itself && at(state, place).is_scalar() && at(state, place).id == known.id)
      copy_knowledge(mutable_at(state, place), known, rules);
  }
}

// ---- A conditional jump

struct Comparing {
  JumpOp op;
  Part part;
  unsigned dst;
  bool by_register;
  unsigned src;
  Register constant;  // the immediate

  const Register& source(const State& state) const { return by_register ? state.frame().registers[src] : constant; }
  bool compares_zero() const { return !by_register && part == Part::Full && constant.is_zero(); }
};

Comparing comparing(Op op, const Insn& insn) {
  return {isa::jump_op(op), isa::bits(op) == 64 ? Part::Full : Part::Half,
          insn.dst,         isa::form(op) == isa::Form::JumpReg,
          insn.src,         Register::constant(static_cast<std::uint64_t>(std::int64_t{insn.imm}))};
}

Checked check_operands(Walk& walk, const Insn& insn, const Comparing& what) {
  TRY_VOID(walk.check_read(insn.dst));
  if (walk.insn_info().has_stray_fields) return walk.reject(EINVAL, "BPF_JMP/JMP32 uses reserved fields");
  if (!what.by_register) return {};
  TRY_VOID(walk.check_read(insn.src));
  const Register &a = walk.peek(insn.dst), &b = walk.peek(insn.src);
  if (is_any_packet(a) && is_any_packet(b)) return {};
  if (b.is_pointer() && !walk.may_leak) return walk.reject(EACCES, "R{} pointer comparison prohibited", insn.src);
  return {};
}

// A pointer that is not NULL against a constant.
Outcome pointer_outcome(const Comparing& what, const Register& a, const Register& b) {
  const bool first = a.is_pointer();
  const Register &pointer = first ? a : b, &number = first ? b : a;
  if (!number.is_scalar() || !number.number.is_constant(what.part)) return Outcome::Unknown;
  if (!is_never_null(pointer) || number.number.value(what.part) != 0) return Outcome::Unknown;
  if (what.op == JumpOp::Eq) return Outcome::Never;
  return what.op == JumpOp::Ne ? Outcome::Always : Outcome::Unknown;
}

Outcome outcome_of(const Walk& walk, const Comparing& what) {
  const Register &a = walk.peek(what.dst), &b = what.source(walk.state);
  if (what.by_register && what.part == Part::Full && is_any_packet(a) && is_any_packet(b))
    return packet_outcome(what.op, a, b);
  if (a.is_pointer() || b.is_pointer()) return pointer_outcome(what, a, b);
  return outcome(what.op, what.part, a.number, b.number, walk.rules);
}

// Only one side is possible: its operands mattered. The unprivileged's processor may try the other side all the same.
Checked follow_known(Walk& walk, Op op, const Insn& insn, const Comparing& what, Outcome known) {
  if (!walk.peek(what.dst).is_pointer()) TRY_VOID(walk.mark_precise(what.dst));
  if (what.by_register && !walk.peek(what.src).is_pointer()) TRY_VOID(walk.mark_precise(what.src));
  const bool taken = known == Outcome::Always;
  if (!walk.bypasses_spec_v1) {
    TRY(State * other, walk.fork(taken ? walk.index + 1 : target(walk, op, insn), true));
    other->mutable_frame().registers[what.dst] = Register::unknown();
    if (what.by_register) other->mutable_frame().registers[what.src] = Register::unknown();
  }
  if (taken) walk.next = target(walk, op, insn);
  return {};
}

// Learns on one side of the branch. The immediate is learnt about too, to no effect.
Checked learn(Walk& walk, State& state, const Comparing& what, Side side) {
  Frame& frame = state.mutable_frame();
  Register immediate = what.constant;
  Register& a = frame.registers[what.dst];
  Register& b = what.by_register ? frame.registers[what.src] : immediate;
  if (!a.is_scalar() || !b.is_scalar()) return {};
  refine(what.op, what.part, side, a.number, b.number, walk.rules);  // which may be the same number
  const bool taken = side == Side::Taken;
  TRY_VOID(walk.settle(a, taken ? "true_reg1" : "false_reg1"));
  return walk.settle(b, taken ? "true_reg2" : "false_reg2");
}

void learn_linked(Walk& walk, State& state, const Comparing& what, const LinkedSet& linked) {
  if (what.by_register) tell_linked(linked, state, what.src, walk.rules);
  tell_linked(linked, state, what.dst, walk.rules);
}

// Of two pointers that are equal neither is NULL if one is not. Kernel objects may be NULL without saying so.
void learn_equal_pointers(const Comparing& what, State& taken, State& other, const Walk& walk) {
  const Register a = other.frame().registers[what.dst], b = what.source(other);
  if (what.part != Part::Full || !what.by_register || !a.is_pointer() || !b.is_pointer()) return;
  if (a.may_be_null() == b.may_be_null() || a.kind == Kind::Btf || b.kind == Kind::Btf) return;
  State* equal = what.op == JumpOp::Eq ? &taken : what.op == JumpOp::Ne ? &other : nullptr;
  if (equal == nullptr) return;
  become_not_null(walk, equal->mutable_frame().registers[a.may_be_null() ? what.dst : what.src]);
}

Checked learn_pointers(Walk& walk, const Insn& insn, const Comparing& what, State& taken) {
  learn_equal_pointers(what, taken, walk.state, walk);
  const bool equality = what.op == JumpOp::Eq || what.op == JumpOp::Ne;
  if (what.compares_zero() && equality && walk.peek(what.dst).may_be_null()) {
    settle_nullness(walk, walk.state, what.dst, what.op == JumpOp::Ne ? Nullness::Null : Nullness::NotNull);
    settle_nullness(walk, taken, what.dst, what.op == JumpOp::Eq ? Nullness::Null : Nullness::NotNull);
    return {};
  }
  if (what.by_register && what.part == Part::Full && learn_packet_range(what.op, what.dst, what.src, walk.state, taken))
    return {};
  if (walk.peek(what.dst).is_pointer() && !walk.may_leak)
    return walk.reject(EACCES, "R{} pointer comparison prohibited", insn.dst);
  return {};
}

Checked follow_both(Walk& walk, Op op, const Insn& insn, const Comparing& what) {
  LinkedSet linked;
  const unsigned live = walk.live_before.empty() ? ~0U : walk.live_before[walk.index];
  const Register &a = walk.peek(what.dst), &b = what.source(walk.state);
  const std::uint32_t ids[] = {what.by_register && b.is_scalar() ? b.id : 0, a.is_scalar() ? a.id : 0};
  for (const std::uint32_t id : ids)
    if (id != 0) collect_linked(linked, walk.state, id, live);
  if (linked.size() > 1) walk.note_linked(linked);
  TRY(State * taken, walk.fork(target(walk, op, insn)));
  TRY_VOID(learn(walk, *taken, what, Side::Taken));
  TRY_VOID(learn(walk, walk.state, what, Side::NotTaken));
  learn_linked(walk, *taken, what, linked);
  learn_linked(walk, walk.state, what, linked);
  return learn_pointers(walk, insn, what, *taken);
}

void note_stack_operands(Walk& walk, const Comparing& what) {
  const bool destination = walk.peek(what.dst).kind == Kind::Stack;
  const bool source = what.by_register && walk.peek(what.src).kind == Kind::Stack;
  if (destination || source) walk.note_stack_operands(destination, source);
}

Checked step_conditional(Walk& walk, Op op, const Insn& insn) {
  const Comparing what = comparing(op, insn);
  TRY_VOID(check_operands(walk, insn, what));
  note_stack_operands(walk, what);
  const Outcome known = outcome_of(walk, what);
  TRY_VOID(known == Outcome::Unknown ? follow_both(walk, op, insn, what) : follow_known(walk, op, insn, what, known));
  if (walk.log.shows_walk()) {
    walk.log.changes(walk.index, walk.state, walk.changes);
    walk.changes = {};
  }
  return {};
}

// Either the loop goes on, later and with what changes forgotten, or it is left.
Checked step_may_goto(Walk& walk, const Insn& insn) {
  const bool nowhere = insn.off == 0 && walk.rules == Rules::Linux612;  // later releases let it be
  if (insn.dst != 0 || insn.imm != 0 || nowhere)
    return walk.reject(EINVAL, "invalid may_goto off {} imm {}", insn.off, insn.imm);
  const Checkpoint* parent = walk.state.parent;
  const Checkpoint* before = parent == nullptr ? nullptr : previous_visit(walk, parent->state, walk.index);
  TRY(State * onward, walk.fork(walk.index + 1));
  ++onward->may_goto_depth;
  if (before != nullptr) widen_imprecise(walk, before->state, *onward);
  walk.next = target(walk, Op::MayGoto, insn);
  return {};
}

}  // namespace

Checked step_jump(Walk& walk, Op op, const Insn& insn) {
  switch (isa::form(op)) {
    case isa::Form::Goto:
    case isa::Form::GotoLong:
      if (walk.insn_info().has_stray_fields) return walk.reject(EINVAL, "BPF_JA uses reserved fields");
      walk.next = target(walk, op, insn);
      return {};
    case isa::Form::MayGoto: return step_may_goto(walk, insn);
    case isa::Form::JumpImm:
    case isa::Form::JumpReg: return step_conditional(walk, op, insn);
    default: break;
  }
  constexpr std::uint8_t kOperation = 0xf0, kMayGoto = 0xe0;
  if ((insn.code & kOperation) == kMayGoto)
    return walk.reject(EINVAL, "invalid may_goto off {} imm {}", insn.off, insn.imm);
  if ((insn.code & kOperation) == 0) return walk.reject(EINVAL, "BPF_JA uses reserved fields");
  return walk.reject(EINVAL, "invalid BPF_JMP/JMP32 opcode {:x}", insn.code & kOperation);
}

}  // namespace skep::verifier
