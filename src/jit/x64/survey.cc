#include "jit/x64/survey.h"

#include <algorithm>
#include <functional>

namespace skep::jit::x64 {
namespace {

using isa::Form;
using isa::Insn;
using isa::Op;

constexpr unsigned kFramePointer = 10;
constexpr std::uint32_t kMostInPlace = 24;  // slots of a function

// Bytes below the frame pointer that an instruction which uses it may touch. Whoever copies the pointer may touch all.
std::uint32_t reach(Op op, const Insn& insn) {
  const bool loads = isa::has(op, isa::kReadsMemory) && insn.src == kFramePointer && !isa::is_atomic(op);
  const bool stores = isa::has(op, isa::kWritesMemory) && insn.dst == kFramePointer;
  const bool stored = stores && isa::has(op, isa::kReadsMemory) && insn.src == kFramePointer;
  const bool copied = isa::form(op) == Form::StoreReg && insn.src == kFramePointer;
  if ((!loads && !stores) || stored || copied || insn.off >= 0) return isa::kStackBytes;
  return static_cast<std::uint32_t>(-insn.off);
}

class Surveyor {
 public:
  Surveyor(const exec::Image& image, Survey& survey) : image_(image), survey_(survey) {}

  Result<> look(const Surroundings& surroundings) {
    const std::size_t count = image_.insns.size();
    survey_.ops.resize(count);
    survey_.flags.resize(count);
    survey_.uses.resize(count);
    survey_.functions.resize(image_.subprograms.size());
    calls_.resize(image_.subprograms.size());
    for (std::size_t i = 0; i < survey_.functions.size(); ++i) {
      Function& function = survey_.functions[i];
      function.start = image_.subprograms[i].start;
      function.end =
          i + 1 < survey_.functions.size() ? image_.subprograms[i + 1].start : static_cast<std::uint32_t>(count);
    }
    for (std::size_t i = 0; i < survey_.functions.size(); ++i) look_at(i);
    for (const std::uint32_t access : image_.arena_accesses) mark(access, Survey::kArena);
    if (loads_bytes_) find_joined_bytes(image_, survey_);
    const bool in_place = surroundings.helpers == Helpers::InPlace;
    if (in_place) find_known_results(image_, survey_);
    find_loops(image_, survey_);
    if (calls_helpers_ && in_place) find_inlined_calls(image_, surroundings, survey_);
    find_live();
    depth_.assign(calls_.size(), 0);
    for (std::size_t i = 0; i < calls_.size(); ++i)
      if (depth_of(i) > isa::kMaxFrames) return fail(EINVAL, "calls nested too deep");
    return {};
  }

 private:
  static constexpr unsigned kOpen = 1000;  // the depth of a function that is being looked into

  void look_at(std::size_t which) {
    Function& function = survey_.functions[which];
    mark(function.start, Survey::kBlock | Survey::kEntry);
    for (std::uint32_t i = function.start; i < function.end;) {
      const Insn& insn = image_.insns[i];
      const Op op = isa::decode(insn);
      survey_.ops[i] = op;
      mark(i, Survey::kFirst);
      look_at(which, i, op, insn);
      i += isa::slots(op);
    }
    if (function.may_goto) function.frame_pointer = true;
    function.stack = (function.stack + 7) & ~7U;
    function.is_small = !function.calls && function.is_leaf && !function.frame_pointer && !function.loops &&
                        (function.writes & kSavedRegisters) == 0 && function.end - function.start <= kMostInPlace;
  }

  void look_at(std::size_t which, std::uint32_t at, Op op, const Insn& insn) {
    Function& function = survey_.functions[which];
    const Survey::Use use = survey_.uses[at] = {isa::reads(op, insn), isa::writes(op, insn)};
    function.writes |= use.writes;
    if ((use.reads >> kFramePointer & 1) != 0) {
      function.frame_pointer = true;
      function.stack = std::max(function.stack, reach(op, insn));
    }
    if (isa::is_jump(op)) {
      const auto target = static_cast<std::size_t>(*isa::jump_target(op, insn, at));
      function.loops |= target <= at;
      if (survey_.at(target, Survey::kTarget)) mark(target, Survey::kTargets);
      mark(target, Survey::kTarget | Survey::kBlock | (target <= at ? Survey::kLoop : Survey::Flags{0}));
    }
    if (isa::has(op, isa::kJumps | isa::kEnds) && at + 1 < survey_.flags.size()) mark(at + 1, Survey::kBlock);
    const Form form = isa::form(op);
    function.may_goto |= form == Form::MayGoto;
    survey_.neighbours += form == Form::JumpImm && at > function.start &&
                          isa::form(survey_.ops[at - 1]) == Form::JumpImm && image_.insns[at - 1].dst == insn.dst;
    loads_bytes_ |= op == Op::Load8;
    if (form == Form::CallLocal || op == Op::LdFunc) {
      function.is_leaf = false;
      const std::size_t callee = survey_.function_at(static_cast<std::uint32_t>(*isa::subprog_target(op, insn, at)));
      if (form == Form::CallLocal) {
        calls_[which].push_back(static_cast<std::uint32_t>(callee));
      } else {
        survey_.functions[callee].address_taken = survey_.callbacks = true;
      }
    }
    if (isa::is_call(op) || form == Form::PacketAbs || form == Form::PacketInd) look_at_call(function, op, insn);
    survey_.stops |= form == Form::Invalid;
  }

  void look_at_call(Function& function, Op op, const Insn& insn) {
    function.calls = true;
    if (op == Op::CallLocal) return;
    survey_.uses_call = true;
    calls_helpers_ |= op == Op::CallHelper;
    function.tail_calls |= op == Op::CallHelper && insn.imm == kTailCall;
  }

  // Backwards, from what is surely enough (everything is read) downwards: each round stays so.
  // The least that may be read: what jumps lead back to is taken to read nothing, until a round finds no more than the
  // one before it knew. Loops in loops in loops may take more rounds than they are worth: then all is said to be read.
  void find_live() {
    constexpr isa::RegisterSet kAll = 0x7ff;
    constexpr int kRounds = 6;
    survey_.live.assign(survey_.ops.size(), 0);
    std::vector<isa::RegisterSet> before(survey_.ops.size() + 1, 0);
    int round = 0;
    while (live_changes_in_round(before) && ++round < kRounds) {
    }
    if (round == kRounds) {
      std::ranges::fill(before, kAll);
      live_changes_in_round(before);
    }
    for (Function& function : survey_.functions) function.arguments = before[function.start];
  }

  // From the last instruction to the first; whether another round would find more. `before`: each instruction.
  bool live_changes_in_round(std::vector<isa::RegisterSet>& before) {
    bool changes = false;
    for (std::size_t i = survey_.ops.size(); i-- > 0;) {
      if (!survey_.at(i, Survey::kFirst)) continue;
      const Op op = survey_.ops[i];
      isa::RegisterSet after = isa::is_terminator(op) ? isa::RegisterSet{0} : before[i + isa::slots(op)];
      if (isa::is_jump(op) && !survey_.at(i, Survey::kLeftOut))
        after |= before[static_cast<std::size_t>(*isa::jump_target(op, image_.insns[i], i))];
      survey_.live[i] = after;
      auto [reads, writes] = survey_.uses[i];
      if (op == Op::CallLocal) reads = before[static_cast<std::size_t>(*isa::subprog_target(op, image_.insns[i], i))];
      const bool has_effect = !survey_.at(i, Survey::kLeftOut) && !(is_pure(op) && (after & writes) == 0);
      const auto now = has_effect ? static_cast<isa::RegisterSet>((after & ~writes) | reads) : after;
      changes |= now != before[i] && (survey_.at(i, Survey::kLoop) || (survey_.at(i, Survey::kEntry) && i != 0));
      before[i] = now;
    }
    return changes;
  }

  void mark(std::size_t slot, Survey::Flags flag) noexcept { survey_.flags[slot] |= flag; }

  // Frames of a function and of what it calls. Functions call few others: the recursion ends at the limit.
  unsigned depth_of(std::size_t which) {
    if (depth_[which] != 0) return depth_[which];
    depth_[which] = kOpen;
    unsigned below = 0;
    for (const std::uint32_t callee : calls_[which]) {
      below = std::max(below, depth_of(callee));
      survey_.functions[which].tail_calls |= survey_.functions[callee].tail_calls;
    }
    return depth_[which] = below + 1;
  }

  const exec::Image& image_;
  Survey& survey_;
  bool loads_bytes_ = false;
  bool calls_helpers_ = false;
  std::vector<std::vector<std::uint32_t>> calls_;
  std::vector<unsigned> depth_;
};

}  // namespace

Result<Survey> Survey::of(const exec::Image& image, const Surroundings& surroundings) {
  Survey survey;
  TRY_VOID(Surveyor(image, survey).look(surroundings));
  return survey;
}

namespace {
// The row of a slot, of rows that are sorted by it; null: there is none.
template <class Row>
const Row* row_at(const std::vector<Row>& rows, std::uint32_t Row::* where, std::uint32_t slot) noexcept {
  const auto found = std::ranges::lower_bound(rows, slot, {}, where);
  return found != rows.end() && std::invoke(where, *found) == slot ? &*found : nullptr;
}
}  // namespace

const JoinedBytes& Survey::joined_at(std::uint32_t slot) const noexcept {
  return *row_at(joined, &JoinedBytes::slot, slot);
}

std::uint64_t Survey::constant_at(std::uint32_t slot) const noexcept {
  return row_at(constants, &Constant::slot, slot)->value;
}

const ShortLoop* Survey::short_loop_at(std::uint32_t slot) const noexcept {
  return at(slot, kLoop) ? row_at(short_loops, &ShortLoop::first, slot) : nullptr;
}

const RotatedLoop* Survey::rotated_loop_at(std::uint32_t slot) const noexcept {
  return row_at(rotated_loops, &RotatedLoop::back, slot);
}

const InlinedCall& Survey::inlined_at(std::uint32_t slot) const noexcept {
  return *row_at(inlined, &InlinedCall::slot, slot);
}

const CompareChain* Survey::chain_at(std::uint32_t slot) const noexcept {
  return row_at(chains, &CompareChain::slot, slot);
}

std::size_t Survey::function_at(std::uint32_t slot) const noexcept {
  return static_cast<std::size_t>(std::ranges::lower_bound(functions, slot, {}, &Function::start) - functions.begin());
}

}  // namespace skep::jit::x64
