// Which numbers mattered: the way back from an instruction whose outcome depended on a number to all it was made from.
//
// A set of registers and stack slots per frame is carried backwards over the instructions of the path, along the
// history of jumps, until it is empty or the last checkpoint is reached. What is in the set there is marked precise in
// the checkpoint, and the walk goes on in its parent with what was not marked before. Where the way back cannot be
// followed, every number of the path is marked. The log's lines are Linux 6.12's. Tested by:
// verifier/explore/verify_test.cc.
#include "verifier/step/precision.h"

#include <algorithm>
#include <bit>

#include "verifier/step/print_insn.h"

namespace skep::verifier {
namespace {

using isa::Form;
using isa::Insn;
using isa::Op;

constexpr unsigned kFramePointer = isa::kRegisters - 1;
constexpr std::uint32_t kArguments = 0x3e;

enum class Way : std::uint8_t { On, Lost };  // Lost: it cannot be followed from here

std::string register_list(std::uint32_t mask) {
  std::string text;
  for (unsigned i = 0; i < 32; ++i)
    if (mask >> i & 1) text += fmt::format("{}r{}", text.empty() ? "" : ",", i);
  return text;
}

std::string slot_list(std::uint64_t mask) {
  std::string text;
  for (unsigned i = 0; i < kMaxSlots; ++i)
    if (mask >> i & 1) text += fmt::format("{}-{}", text.empty() ? "" : ",", (i + 1) * kSlotBytes);
  return text;
}

class Backtrack {
 public:
  Backtrack(Walk& walk, PrecisionSet& set) : walk_(walk), set_(set), frame_(walk.state.top) {}

  Checked run();

 private:
  Checked impossible(std::string_view what, std::size_t index) const {
    return walk_.reject(EFAULT, "backtracking bug at insn {}: {}, frame {} regs {:#x} slots {:#x}", index, what, frame_,
                        regs(), slots());
  }
  std::uint32_t& regs() const noexcept { return set_.registers[frame_]; }
  std::uint64_t& slots() const noexcept { return set_.slots[frame_]; }
  bool has(unsigned number) const noexcept { return regs() >> number & 1; }
  void add(unsigned number) noexcept {
    if (number != kFramePointer) regs() |= 1U << number;
  }
  void remove(unsigned number) noexcept { regs() &= ~(1U << number); }

  bool passes(std::size_t index, const HistoryEntry* entry) const noexcept;
  CheckedOf<bool> entered(const State& at);  // the start of a function was reached
  CheckedOf<bool> through(const State& at, std::int64_t last, std::int64_t first, bool skips_first);
  CheckedOf<Way> back_over(std::size_t index, std::int64_t after, const HistoryEntry* entry);
  Way back_over_load(const Insn& insn, const HistoryEntry* entry);
  Way back_over_store(const Insn& insn, bool from_register, const HistoryEntry* entry);
  void back_over_alu(Op op, const Insn& insn);
  CheckedOf<Way> back_over_call(Op op, std::size_t index, std::int64_t after);
  CheckedOf<Way> back_into_callee(std::size_t index, std::int64_t after);
  Checked leave(std::size_t index);
  void tell_linked(const HistoryEntry* entry);
  void mark_all();
  bool mark(State& at);
  void show(std::size_t index) const;

  Walk& walk_;
  PrecisionSet& set_;
  unsigned frame_;
  std::int64_t after_ = -1;  // the instruction that came next on the path
  const bool shows_ = walk_.log.shows_all_paths();
};

void Backtrack::show(std::size_t index) const {
  walk_.log.part(fmt::format("mark_precise: frame{}: regs={} stack={} before {}: ", frame_, register_list(regs()),
                             slot_list(slots()), index));
  walk_.log.line(text_of(walk_, index));
}

// What learnt together from a branch matters together.
void Backtrack::tell_linked(const HistoryEntry* entry) {
  if (entry == nullptr || entry->linked.size() == 0) return;
  const LinkedSet& linked = entry->linked;
  bool some = false;
  for (unsigned i = 0; i < linked.size(); ++i) some |= set_.has(linked[i]);
  for (unsigned i = 0; some && i < linked.size(); ++i) set_.add(linked[i]);
}

void Backtrack::back_over_alu(Op op, const Insn& insn) {
  if (!has(insn.dst)) return;
  switch (isa::form(op)) {
    case Form::MovReg:
    case Form::CastAddrSpace:
      remove(insn.dst);
      add(insn.src);
      return;
    case Form::MovImm: return remove(insn.dst);
    case Form::AluReg: return add(insn.src);
    default: return;
  }
}

Way Backtrack::back_over_load(const Insn& insn, const HistoryEntry* entry) {
  if (!has(insn.dst)) return Way::On;
  remove(insn.dst);
  if (entry != nullptr && entry->accesses_stack)
    set_.slots[entry->stack_frame] |= std::uint64_t{1} << entry->stack_slot;
  return Way::On;
}

Way Backtrack::back_over_store(const Insn& insn, bool from_register, const HistoryEntry* entry) {
  if (has(insn.dst)) return Way::Lost;  // a difference of pointers
  if (entry == nullptr || !entry->accesses_stack) return Way::On;
  std::uint64_t& mask = set_.slots[entry->stack_frame];
  const std::uint64_t bit = std::uint64_t{1} << entry->stack_slot;
  if (!(mask & bit)) return Way::On;
  mask &= ~bit;
  if (from_register) add(insn.src);
  return Way::On;
}

Checked Backtrack::leave(std::size_t index) {
  if (frame_ == 0) return impossible("no frame to leave", index);
  --frame_;
  return {};
}

CheckedOf<Way> Backtrack::back_over_call(Op op, std::size_t index, std::int64_t after) {
  const bool entered_callback = walk_.info[index].calls_callback && after != static_cast<std::int64_t>(index) + 1;
  if (isa::form(op) == Form::CallLocal) {
    const auto target = isa::subprog_target(op, walk_.input.insns[index], index);
    const auto subprog = walk_.subprog_at(static_cast<std::size_t>(*target));
    if (subprog && walk_.subprogs[*subprog].is_global) {
      if (regs() & kArguments) return std::unexpected(impossible("arguments of a global function", index).error());
      remove(0);
      return Way::On;
    }
    if ((regs() & ~kArguments) != 0 || slots() != 0)
      return std::unexpected(impossible("leftovers at a function's start", index).error());
    const std::uint32_t arguments = regs();
    regs() = 0;
    TRY_VOID(leave(index));
    regs() |= arguments;
    return Way::On;
  }
  if (entered_callback) {
    if ((regs() & ~kArguments) != 0 || slots() != 0)
      return std::unexpected(impossible("leftovers at a callback's start", index).error());
    regs() = 0;  // the helper made them
    TRY_VOID(leave(index));
    return Way::On;
  }
  if (isa::form(op) == Form::CallKfunc && walk_.input.insns[index].imm == 0) return Way::Lost;
  remove(0);
  if (regs() & kArguments) return std::unexpected(impossible("arguments behind a call", index).error());
  return Way::On;
}

// The path returned here from a function: go into it.
CheckedOf<Way> Backtrack::back_into_callee(std::size_t index, std::int64_t after) {
  const auto at = static_cast<std::size_t>(after);
  if (after >= 0 && walk_.info[at].calls_callback) regs() &= ~kArguments;
  if (regs() & kArguments) return std::unexpected(impossible("arguments behind a function", index).error());
  const bool returned = after >= 1 && isa::form(walk_.info[at - 1].op) == Form::CallLocal;
  const bool result = returned && has(0);
  remove(0);
  if (frame_ + 1 >= isa::kMaxFrames) return std::unexpected(impossible("too many frames", index).error());
  ++frame_;
  if (result) add(0);
  return Way::On;
}

CheckedOf<Way> Backtrack::back_over(std::size_t index, std::int64_t after, const HistoryEntry* entry) {
  const Insn& insn = walk_.input.insns[index];
  if (insn.code == 0) return Way::On;
  const Op op = walk_.info[index].op;
  if (shows_) show(index);
  tell_linked(entry);
  Way way = Way::On;
  switch (isa::form(op)) {
    case Form::Load:
    case Form::LoadSx: way = back_over_load(insn, entry); break;
    case Form::StoreImm: way = back_over_store(insn, false, entry); break;
    case Form::StoreReg:
    case Form::Atomic:
    case Form::AtomicFetch:
    case Form::AtomicCmpXchg:
    case Form::LoadAcquire:
    case Form::StoreRelease: way = back_over_store(insn, true, entry); break;
    case Form::CallLocal:
    case Form::CallHelper:
    case Form::CallKfunc: {
      TRY(way, back_over_call(op, index, after));
      if (isa::form(op) == Form::CallLocal || walk_.info[index].calls_callback) return way;
      break;
    }
    case Form::Exit: return back_into_callee(index, after);
    case Form::JumpReg:
      if (!has(insn.dst) && !has(insn.src)) return way;
      if (entry == nullptr || !entry->is_stack_destination) add(insn.dst);
      if (entry == nullptr || !entry->is_stack_source) add(insn.src);
      break;
    case Form::LoadImm64: remove(insn.dst); break;
    case Form::PacketAbs:
    case Form::PacketInd:
      if (has(0)) way = Way::Lost;
      break;
    default: back_over_alu(op, insn); break;
  }
  if (way == Way::On) tell_linked(entry);
  return way;
}

// At the entry of a global function its arguments are where numbers come from.
CheckedOf<bool> Backtrack::entered(const State& at) {
  const Frame& frame = *at.frames[0];
  const bool global = at.top == 0 && frame.subprog > 0 && frame.callsite == Frame::kNoCaller;
  if (!global || slots() != 0 || (regs() & ~kArguments) != 0)
    return std::unexpected(impossible("the start of the program", 0).error());
  regs() = 0;  // marked already
  return true;
}

// Most instructions have nothing to do with what is looked for.
bool Backtrack::passes(std::size_t index, const HistoryEntry* entry) const noexcept {
  if (shows_ || (entry != nullptr && entry->linked.size() != 0)) return false;
  switch (walk_.info[index].backward) {
    case Backward::Nothing: return true;
    case Backward::Definition: return !has(walk_.input.insns[index].dst);
    case Backward::Other: return false;
  }
  return false;
}

// Back over one state's instructions, from `last` to `first`. True when nothing is left to follow.
CheckedOf<bool> Backtrack::through(const State& at, std::int64_t last, std::int64_t first, bool skips_first) {
  std::uint32_t left = at.history_count;
  const HistoryEntry* newest = left > 0 ? &walk_.histories[at.history] : nullptr;
  for (std::int64_t i = last;;) {
    const HistoryEntry* here = newest != nullptr && newest->insn == i ? newest : nullptr;
    if (!skips_first && !passes(static_cast<std::size_t>(i), here)) {
      TRY(const Way way, back_over(static_cast<std::size_t>(i), after_, here));
      if (way == Way::Lost) {
        mark_all();
        set_.clear();
        return true;
      }
      if (set_.empty()) return true;
    }
    skips_first = false;
    after_ = i;
    if (i == first && (left == 0 || (left == 1 && here != nullptr))) return false;
    if (here != nullptr) {
      i = here->from;
      newest = --left > 0 ? &walk_.histories[here->previous] : nullptr;
    } else {
      --i;
    }
    if (i < 0) return std::unexpected(impossible("an instruction before the first", 0).error());
  }
}

// Marks what is in the set in a checkpoint, and keeps of the set what was not marked there before.
bool Backtrack::mark(State& at) {
  for (unsigned f = frame_ + 1; f-- > 0;) {
    Marks& marks = at.marks[f];
    const Frame& frame = *at.frames[f];
    for (unsigned i = 0; i < isa::kRegisters; ++i) {
      if (!(set_.registers[f] >> i & 1)) continue;
      if (!frame.registers[i].is_scalar() || (marks.precise >> i & 1)) set_.registers[f] &= ~(1U << i);
      if (frame.registers[i].is_scalar()) marks.precise |= static_cast<std::uint16_t>(1U << i);
    }
    for (unsigned i = 0; i < kMaxSlots; ++i) {
      const std::uint64_t bit = std::uint64_t{1} << i;
      if (!(set_.slots[f] & bit)) continue;
      const bool scalar = i < frame.stack.size() && frame.stack[i].holds_scalar();
      if (!scalar || (marks.slots_precise & bit)) set_.slots[f] &= ~bit;
      if (scalar) marks.slots_precise |= bit;
    }
    if (!shows_) continue;
    walk_.log.part(fmt::format("mark_precise: frame{}: parent state regs={} stack={}: ", f,
                               register_list(set_.registers[f]), slot_list(set_.slots[f])));
    walk_.log.frame(at, f);
  }
  return set_.empty();
}

Checked Backtrack::run() {
  bool skips_first = true;  // the instruction that asks has not been carried out
  const State* at = &walk_.state;
  std::int64_t last = static_cast<std::int64_t>(walk_.index), first = at->first_insn;
  for (;;) {
    if (shows_)
      walk_.say("mark_precise: frame{}: last_idx {} first_idx {} subseq_idx {} ", frame_, last, first, after_);
    TRY(const bool done, last < 0 ? entered(*at) : through(*at, last, first, skips_first));
    if (done) return {};
    skips_first = false;
    Checkpoint* parent = at->parent;
    if (parent == nullptr) break;
    if (mark(parent->state)) return {};
    after_ = first;
    at = &parent->state;
    last = at->last_insn == State::kNoInsn ? -1 : static_cast<std::int64_t>(at->last_insn);
    first = at->first_insn;
  }
  if (!set_.empty()) {  // something was missed
    mark_all();
    set_.clear();
  }
  return {};
}

void Backtrack::mark_all() {
  if (shows_) walk_.say("mark_precise: frame{}: falling back to forcing all scalars precise", walk_.state.top);
  for (Checkpoint* at = walk_.state.parent; at != nullptr; at = at->state.parent) {
    for (unsigned f = 0; f <= at->state.top; ++f) {
      Marks& marks = at->state.marks[f];
      const Frame& frame = *at->state.frames[f];
      for (unsigned i = 0; i < kFramePointer; ++i) {
        if (!frame.registers[i].is_scalar() || (marks.precise >> i & 1)) continue;
        marks.precise |= static_cast<std::uint16_t>(1U << i);
        if (shows_) walk_.say("force_precise: frame{}: forcing r{} to be precise", f, i);
      }
      for (unsigned i = 0; i < frame.stack.size(); ++i) {
        if (!frame.stack[i].holds_scalar() || (marks.slots_precise >> i & 1)) continue;
        marks.slots_precise |= std::uint64_t{1} << i;
        if (shows_) walk_.say("force_precise: frame{}: forcing fp-{} to be precise", f, (i + 1) * kSlotBytes);
      }
    }
  }
}

}  // namespace

Checked mark_precise(Walk& walk, PrecisionSet& set) {
  if (!walk.bpf_capable) return {};  // every number is precise
  return Backtrack(walk, set).run();
}

Checked Walk::mark_precise(unsigned number) {
  if (!bpf_capable) return {};
  PrecisionSet set;
  set.add(
      {.frame = static_cast<std::uint8_t>(state.top), .is_slot = false, .number = static_cast<std::uint8_t>(number)});
  return verifier::mark_precise(*this, set);
}

}  // namespace skep::verifier
