#include "exec/context_flow.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "exec/flow_state.h"
#include "exec/structure.h"
#include "isa/op.h"
#include "spec/helpers.h"

namespace skep::exec {
namespace {

using isa::Form;
using isa::Insn;
using isa::Op;
using Kind = Value::Kind;

// Which register of its callback a helper hands the callback's context in.
struct CallbackContext {
  spec::HelperId helper;
  unsigned reg;
};
constexpr CallbackContext kCallbackContexts[] = {
    {spec::HelperId::for_each_map_elem, 4},
    {spec::HelperId::find_vma, 3},
    {spec::HelperId::loop, 2},
    {spec::HelperId::user_ringbuf_drain, 2},
};

// What is known of a subprogram apart from its blocks.
struct Summary {
  Slots escaped;            // its stack, as subprograms it calls may find it
  Slots written;            // what they may have written there
  Value result = kNothing;  // r0 at its exits
};

class Flow {
 public:
  Flow(std::span<const Insn> insns, std::span<const Subprogram> subprograms);
  Result<ContextFlow> run(ContextKind context);

 private:
  void find_blocks();
  void lead(std::size_t insn);
  void reach(std::size_t insn, const FlowState& state);
  void iterate();
  void run_block(std::size_t start);
  bool step(std::size_t index, FlowState& state);  // false: control does not go on to the next instruction

  void arithmetic(const Insn& insn, Op op, FlowState& state);
  void load(std::size_t index, Op op, FlowState& state);
  void store(std::size_t index, Op op, FlowState& state);
  void atomic(std::size_t index, Op op, FlowState& state);
  bool branch(std::size_t index, Op op, FlowState& state);
  bool call_local(std::size_t index, FlowState& state);
  void call_helper(const Insn& insn, FlowState& state);
  void enter(std::uint32_t subprogram, FlowState callee, const FlowState& caller);
  void after_call(FlowState& state, const Value& result);

  Value read_stack(const Value& pointer, std::int64_t off, const FlowState& state) const;
  void write_stack(const Value& pointer, std::int64_t off, unsigned bytes, const Value& value, FlowState& state);
  void access(std::size_t index, unsigned reg, const Value& base);
  void refuse(std::size_t index, std::string_view why);
  std::uint32_t subprogram_at(std::size_t insn) const;

  std::span<const Insn> insns_;
  std::span<const Subprogram> subprograms_;
  std::vector<std::int32_t> block_of_;  // by instruction: index into states_, or -1 where no block starts
  std::vector<FlowState> states_;
  std::vector<std::size_t> pending_;  // first instructions of blocks to look at
  std::vector<bool> queued_;          // by block
  std::vector<Summary> summaries_;
  bool summaries_changed_ = false;
  std::uint32_t current_ = 0;  // subprogram of the block being looked at

  ContextFlow* found_ = nullptr;  // set in the last pass
  std::optional<Error> error_;
};

Flow::Flow(std::span<const Insn> insns, std::span<const Subprogram> subprograms)
    : insns_(insns), subprograms_(subprograms), block_of_(insns.size(), -1), summaries_(subprograms.size()) {
  find_blocks();
}

void Flow::lead(std::size_t insn) {
  if (insn >= insns_.size() || block_of_[insn] >= 0) return;
  block_of_[insn] = static_cast<std::int32_t>(states_.size());
  states_.emplace_back();
}

void Flow::find_blocks() {
  for (const Subprogram& subprogram : subprograms_) lead(subprogram.start);
  for (std::size_t i = 0; i < insns_.size(); i += isa::slots(isa::decode(insns_[i]))) {
    const Op op = isa::decode(insns_[i]);
    const auto target = isa::jump_target(op, insns_[i], i);
    if (!target) continue;
    lead(static_cast<std::size_t>(*target));
    lead(i + 1);
  }
  queued_.resize(states_.size());
}

std::uint32_t Flow::subprogram_at(std::size_t insn) const {
  const auto behind = std::ranges::upper_bound(subprograms_, insn, {}, &Subprogram::start);
  return static_cast<std::uint32_t>(behind - subprograms_.begin()) - 1;
}

void Flow::reach(std::size_t insn, const FlowState& state) {
  const auto block = static_cast<std::size_t>(block_of_[insn]);
  if (!states_[block].join(state) || queued_[block] || found_) return;
  queued_[block] = true;
  pending_.push_back(insn);
}

Result<ContextFlow> Flow::run(ContextKind context) {
  FlowState entry{.reached = true, .regs = {}, .slots = {}};
  if (context != ContextKind::Memory) entry.regs[1] = {Kind::Context, 0, 0};
  entry.regs[10] = frame(0, 0);
  reach(0, entry);
  iterate();

  ContextFlow found;
  found.reached.resize(insns_.size());
  found_ = &found;
  for (std::size_t i = 0; i < insns_.size() && !error_; ++i)
    if (block_of_[i] >= 0 && states_[static_cast<std::size_t>(block_of_[i])].reached) run_block(i);
  if (error_) return std::unexpected(*error_);
  return found;
}

void Flow::iterate() {
  do {
    summaries_changed_ = false;
    while (!pending_.empty()) {
      const std::size_t insn = pending_.back();
      pending_.pop_back();
      queued_[static_cast<std::size_t>(block_of_[insn])] = false;
      run_block(insn);
    }
    // A summary may be read anywhere: look at everything once more.
    for (std::size_t i = 0; summaries_changed_ && i < insns_.size(); ++i)
      if (block_of_[i] >= 0 && states_[static_cast<std::size_t>(block_of_[i])].reached) pending_.push_back(i);
  } while (!pending_.empty());
}

void Flow::run_block(std::size_t start) {
  FlowState state = states_[static_cast<std::size_t>(block_of_[start])];
  current_ = subprogram_at(start);
  for (std::size_t i = start; !error_;) {
    if (found_) found_->reached[i] = true;
    const std::size_t next = i + isa::slots(isa::decode(insns_[i]));
    if (!step(i, state)) return;
    if (block_of_[next] >= 0) return reach(next, state);
    i = next;
  }
}

bool Flow::step(std::size_t index, FlowState& state) {
  const Insn& insn = insns_[index];
  const Op op = isa::decode(insn);
  switch (isa::form(op)) {
    case Form::AluImm:
    case Form::AluReg:
    case Form::MovImm:
    case Form::MovReg:
    case Form::AluUnary:
    case Form::CastAddrSpace: arithmetic(insn, op, state); return true;
    case Form::LoadImm64:
      state.regs[insn.dst] = {};
      if (op == Op::LdImm64)
        state.regs[insn.dst] = constant(static_cast<std::int64_t>(isa::imm64(insn, insns_[index + 1])));
      if (op == Op::LdFunc)
        state.regs[insn.dst] = {Kind::Function,
                                subprogram_at(static_cast<std::size_t>(*isa::subprog_target(op, insn, index))), 0};
      return true;
    case Form::Load:
    case Form::LoadSx: load(index, op, state); return true;
    case Form::StoreImm:
    case Form::StoreReg: store(index, op, state); return true;
    case Form::Atomic:
    case Form::AtomicFetch:
    case Form::AtomicCmpXchg:
    case Form::LoadAcquire:
    case Form::StoreRelease: atomic(index, op, state); return true;
    case Form::Goto:
    case Form::GotoLong:
    case Form::MayGoto:
    case Form::JumpImm:
    case Form::JumpReg: return branch(index, op, state);
    case Form::CallLocal: return call_local(index, state);
    case Form::CallHelper: call_helper(insn, state); return true;
    case Form::PacketAbs:
    case Form::PacketInd:
    case Form::CallKfunc:
    case Form::CallReg: after_call(state, {}); return true;
    case Form::Exit: {
      Value& result = summaries_[current_].result;
      const Value now = join(result, state.regs[0]);
      summaries_changed_ |= now != result;
      result = now;
      return false;
    }
    case Form::Invalid: return false;
  }
  return false;
}

void Flow::arithmetic(const Insn& insn, Op op, FlowState& state) {
  const Form form = isa::form(op);
  const bool from_register = form == Form::AluReg || form == Form::MovReg;
  const Value source = from_register ? state.regs[insn.src] : constant(insn.imm);
  Value& target = state.regs[insn.dst];
  const Value before = form == Form::MovImm || form == Form::MovReg ? constant(0) : target;
  target = {};
  if (form == Form::CastAddrSpace) return;
  if (op == Op::Mov64Reg) {
    target = source;
  } else if (before.kind == Kind::Constant && source.kind == Kind::Constant) {
    const auto d = static_cast<std::uint64_t>(before.offset), s = static_cast<std::uint64_t>(source.offset);
    const isa::AluOp alu = isa::alu_op(op);
    target =
        constant(static_cast<std::int64_t>(isa::bits(op) == 64 ? isa::eval<64>(alu, d, s) : isa::eval<32>(alu, d, s)));
  } else if (isa::bits(op) == 64 && (isa::alu_op(op) == isa::AluOp::Add || isa::alu_op(op) == isa::AluOp::Sub)) {
    const bool add = isa::alu_op(op) == isa::AluOp::Add;
    const auto moved = [&](const Value& pointer, std::int64_t by) {
      const std::uint64_t at = static_cast<std::uint64_t>(pointer.offset);
      const std::uint64_t distance = static_cast<std::uint64_t>(by);
      return Value{pointer.kind, pointer.subprogram, static_cast<std::int64_t>(add ? at + distance : at - distance)};
    };
    const auto points = [](const Value& value) { return value.kind == Kind::Context || value.kind == Kind::Frame; };
    if (points(before) && source.kind == Kind::Constant)
      target = moved(before, source.offset);
    else if (add && points(source) && before.kind == Kind::Constant)
      target = moved(source, before.offset);
    else if (before.is_context() != source.is_context())
      target = {before.kind == Kind::Mixed || source.kind == Kind::Mixed ? Kind::Mixed : Kind::AnyContext, 0, 0};
  }
}

Value Flow::read_stack(const Value& pointer, std::int64_t off, const FlowState& state) const {
  const std::int64_t at = pointer.offset + off;
  if (pointer.subprogram == current_) return state.slots.at(at);
  return summaries_[pointer.subprogram].escaped.at(at);
}

void Flow::write_stack(const Value& pointer, std::int64_t off, unsigned bytes, const Value& value, FlowState& state) {
  const std::int64_t at = pointer.offset + off;
  if (pointer.subprogram == current_) return state.slots.write(at, bytes, value);
  Summary& summary = summaries_[pointer.subprogram];
  const Value kept = bytes == 8 ? value : Value{};
  summaries_changed_ |= summary.escaped.join_at(at, kept);
  summaries_changed_ |= summary.written.join_at(at, kept);
}

void Flow::load(std::size_t index, Op op, FlowState& state) {
  const Insn& insn = insns_[index];
  const Value base = state.regs[insn.src];
  access(index, insn.src, base);
  const bool whole = base.kind == Kind::Frame && op == Op::Load64;
  state.regs[insn.dst] = whole ? read_stack(base, insn.off, state) : Value{};
}

void Flow::store(std::size_t index, Op op, FlowState& state) {
  const Insn& insn = insns_[index];
  const Value base = state.regs[insn.dst];
  access(index, insn.dst, base);
  const Value value = isa::form(op) == Form::StoreReg ? state.regs[insn.src] : Value{};
  if (base.kind == Kind::Frame) write_stack(base, insn.off, isa::access_bytes(op), value, state);
}

void Flow::atomic(std::size_t index, Op op, FlowState& state) {
  const Insn& insn = insns_[index];
  const bool loads = isa::form(op) == Form::LoadAcquire;
  const unsigned reg = loads ? insn.src : insn.dst;
  const Value base = state.regs[reg];
  if (base.is_context())
    refuse(index, fmt::format("BPF_ATOMIC {} R{} ctx is not allowed", loads ? "loads from" : "stores into", reg));
  if (base.kind == Kind::Frame && !loads) write_stack(base, insn.off, isa::access_bytes(op), {}, state);
  for (unsigned i = 0; i < isa::kRegisters; ++i)
    if (isa::writes(op, insn) >> i & 1) state.regs[i] = {};
}

bool Flow::branch(std::size_t index, Op op, FlowState& state) {
  const Insn& insn = insns_[index];
  const auto target = static_cast<std::size_t>(*isa::jump_target(op, insn, index));
  if (!isa::is_conditional_jump(op)) {
    reach(target, state);
    return false;
  }
  const Value left = state.regs[insn.dst];
  const Value right = isa::form(op) == Form::JumpReg ? state.regs[insn.src] : constant(insn.imm);
  if (isa::form(op) != Form::MayGoto && left.kind == Kind::Constant && right.kind == Kind::Constant) {
    const auto a = static_cast<std::uint64_t>(left.offset), b = static_cast<std::uint64_t>(right.offset);
    const bool taken =
        isa::bits(op) == 64 ? isa::holds<64>(isa::jump_op(op), a, b) : isa::holds<32>(isa::jump_op(op), a, b);
    if (taken) reach(target, state);
    return !taken;
  }
  reach(target, state);
  return true;
}

void Flow::enter(std::uint32_t subprogram, FlowState callee, const FlowState& caller) {
  summaries_changed_ |= summaries_[current_].escaped.join_present(caller.slots);
  callee.reached = true;
  callee.regs[10] = frame(subprogram, 0);
  reach(subprograms_[subprogram].start, callee);
}

void Flow::after_call(FlowState& state, const Value& result) {
  for (unsigned i = 1; i <= 5; ++i) state.regs[i] = {};
  state.regs[0] = result;
  state.slots.join_present(summaries_[current_].written);
}

bool Flow::call_local(std::size_t index, FlowState& state) {
  const auto target = isa::subprog_target(Op::CallLocal, insns_[index], index);
  const std::uint32_t callee = subprogram_at(static_cast<std::size_t>(*target));
  FlowState entry;
  std::copy_n(state.regs.begin() + 1, 5, entry.regs.begin() + 1);
  enter(callee, std::move(entry), state);
  const Value result = summaries_[callee].result;
  after_call(state, result);
  return result.kind != Kind::Nothing;
}

void Flow::call_helper(const Insn& insn, FlowState& state) {
  const spec::Helper* helper = spec::find_helper(static_cast<std::uint32_t>(insn.imm));
  if (helper && helper->is(spec::HelperTrait::Calls)) {
    FlowState entry;
    std::optional<std::uint32_t> function;
    for (unsigned i = 0; i < helper->arg_count(); ++i) {
      const spec::ArgBase base = spec::info(helper->args[i]).base;
      const Value& argument = state.regs[i + 1];
      if (base == spec::ArgBase::Func && argument.kind == Kind::Function) function = argument.subprogram;
      if (base != spec::ArgBase::Stack) continue;
      for (const CallbackContext& row : kCallbackContexts)
        if (row.helper == helper->id) entry.regs[row.reg] = argument;
    }
    if (function) enter(*function, std::move(entry), state);
  }
  after_call(state, {});
}

void Flow::access(std::size_t index, unsigned reg, const Value& base) {
  const std::int64_t offset = base.offset;
  switch (base.kind) {
    case Kind::Mixed: return refuse(index, "same insn cannot be used with different pointers");
    case Kind::AnyContext: return refuse(index, fmt::format("variable ctx access through R{}", reg));
    case Kind::Context:
      if (offset != 0)
        return refuse(index, fmt::format("dereference of modified ctx ptr R{} off={} disallowed", reg, offset));
      if (found_) found_->accesses.push_back({static_cast<std::uint32_t>(index), insns_[index].off});
      return;
    case Kind::Nothing:
    case Kind::Constant:
    case Kind::Frame:
    case Kind::Function:
    case Kind::Other: return;
  }
}

// Only in the last pass: before it, a path may still turn out to be another.
void Flow::refuse(std::size_t index, std::string_view why) {
  if (found_ && !error_) error_ = error_at(insns_, index, why, EACCES);
}

}  // namespace

Result<ContextFlow> follow_context(std::span<const Insn> insns, std::span<const Subprogram> subprograms,
                                   ContextKind context) {
  return Flow(insns, subprograms).run(context);
}

}  // namespace skep::exec
