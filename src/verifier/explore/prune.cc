#include "verifier/explore/prune.h"

#include <algorithm>

#include "verifier/explore/explored.h"
#include "verifier/step/loops.h"
#include "verifier/step/precision.h"
#include "verifier/step/source_line.h"

namespace skep::verifier {
namespace {

constexpr std::uint32_t kFewJumps = 2, kFewInsns = 8;       // since the last checkpoint
constexpr std::uint32_t kLoopJumps = 20, kLoopInsns = 100;  // the same in a loop
constexpr std::uint32_t kLongHistory = 40;                  // jumps without a checkpoint
constexpr std::uint32_t kPatience = 3, kLoopPatience = 64;  // misses for each hit until a checkpoint is dropped
constexpr std::uint32_t kMostUnprivileged = 64;             // states at one instruction

}  // namespace

Pruner::Pruner(Walk& walk) noexcept
    : walk_(walk),
      rules_{.reads_uninit_stack = walk.reads_uninit_stack, .all_precise = !walk.bpf_capable, .exact_scalars = false} {}

bool Pruner::subsumes(const Checkpoint& old, Exactness exactness) {
  rules_.exact_scalars = walk_.explores_alu_limits;
  return Comparison(rules_, ids_).subsumes(old, walk_.state, walk_.last_id, exactness);
}

bool Pruner::wants_checkpoint(bool forced) const {
  return forced ||
         (walk_.jumps_processed - since_jumps_ >= kFewJumps && walk_.insns_processed - since_insns_ >= kFewInsns);
}

bool Pruner::in_async_reentry(const State& old) const {
  const Frame& frame = old.frame();
  return frame.called_as == CallKind::AsyncCallback && frame.async_entry != walk_.frame().async_entry;
}

// The iterator in r1 of the next call at this instruction.
bool Pruner::iterator_is_active() const {
  const Register& at = walk_.peek(1);
  if (at.kind != Kind::Stack || !at.number.is_constant()) return false;
  const auto offset = static_cast<std::int64_t>(at.number.value()) + at.offset;
  const Frame& frame = *walk_.state.frames[at.frame];
  const auto slot = static_cast<std::size_t>((-offset - 1) / kSlotBytes);
  return offset < 0 && slot < frame.stack.size() && frame.stack[slot].bytes.back() == ByteKind::Iterator &&
         frame.stack[slot].spilled.iter_state == IterState::Active;
}

// Numbers and kinds of the current frames are the same bit by bit: worth a closer look.
bool Pruner::may_be_looping(const State& old) const {
  const Frame &was = old.frame(), &is = walk_.frame();
  if (old.top != walk_.state.top) return false;
  for (std::size_t i = 0; i + 1 < was.registers.size(); ++i) {
    const Register &a = was.registers[i], &b = is.registers[i];
    if (a.kind != b.kind || a.traits != b.traits || a.offset != b.offset || a.word != b.word || a.word2 != b.word2 ||
        !(a.number == b.number) || a.id != b.id || a.ref_obj_id != b.ref_obj_id)
      return false;
  }
  return true;
}

bool Pruner::iterators_differ(const State& old) const {
  for (unsigned f = 0; f <= old.top; ++f) {
    const auto &was = old.frames[f]->stack, &is = walk_.state.frames[f]->stack;
    for (std::size_t i = 0; i < was.size() && i < is.size(); ++i)
      if (was[i].bytes[0] == ByteKind::Iterator && was[i].spilled.iter_state == IterState::Active &&
          was[i].spilled.iter_depth != is[i].spilled.iter_depth)
        return true;
  }
  return false;
}

std::unexpected<Rejected> Pruner::endless(const Checkpoint& old) {
  show_source_line(walk_, walk_.index);
  walk_.say("infinite loop detected at insn {}", walk_.index);
  walk_.log.part("cur state:");
  walk_.log.frame(walk_.state, walk_.state.top);
  walk_.log.part("old state:");
  walk_.log.frame(old.state, old.state.top);
  return walk_.reject(EINVAL, "");
}

CheckedOf<Pruner::Match> Pruner::match_open(Checkpoint& old) {
  if (in_async_reentry(old.state)) return Match::None;
  const InsnInfo& here = walk_.insn_info();
  if (here.is_iterator_next) {
    if (!subsumes(old, Exactness::RangeWithin) || !iterator_is_active()) return Match::None;
    note_loop(walk_.state, old);
    return Match::Hit;
  }
  if (here.is_may_goto && old.state.may_goto_depth != walk_.state.may_goto_depth &&
      subsumes(old, Exactness::RangeWithin)) {
    note_loop(walk_.state, old);
    return Match::Hit;
  }
  if (here.calls_callback) return subsumes(old, Exactness::RangeWithin) ? Match::Hit : Match::None;
  if (may_be_looping(old.state) && subsumes(old, Exactness::Exact) && !iterators_differ(old.state) &&
      old.state.may_goto_depth == walk_.state.may_goto_depth &&
      old.state.callback_unroll_depth == walk_.state.callback_unroll_depth)
    return endless(old);
  return Match::None;
}

Pruner::Match Pruner::match_done(Checkpoint& old) {
  Checkpoint* entry = loop_entry(old.state);
  const bool unfinished = entry != nullptr && entry->state.branches > 0;
  if (!subsumes(old, unfinished ? Exactness::RangeWithin : Exactness::NotExact)) return Match::None;
  if (unfinished) note_loop(walk_.state, *entry);
  return Match::Hit;
}

// Nothing will be read behind a checkpoint whose paths, and whose loop's, have all ended.
void Pruner::clean(Checkpoint& old) const {
  if (old.is_cleaned || old.state.branches != 0 || !same_callers(old.state, walk_.state)) return;
  const Checkpoint* entry = loop_entry(old.state);
  old.is_cleaned = entry == nullptr || entry->state.branches == 0;
}

// What the checkpoint's future read, this path's would have read.
void Pruner::adopt_reads(const Checkpoint& old) {
  for (unsigned f = 0; f <= old.state.top; ++f) {
    const Marks& read = old.state.marks[f];
    for (unsigned i = f < old.state.top ? 6 : 0; i + 1 < isa::kRegisters; ++i) {
      const bool full = read.read_full >> i & 1;
      if (!full && !(read.read_half >> i & 1)) continue;
      walk_.mark_read(f, i, full);
      const Register& value = walk_.state.frames[f]->registers[i];
      if (full && value.half_written_by != 0) walk_.info[value.half_written_by - 1].zero_extends = true;
    }
    const std::size_t slots = std::min(old.state.frames[f]->stack.size(), walk_.state.frames[f]->stack.size());
    for (std::size_t i = 0; i < slots; ++i)
      if (read.slots_read >> i & 1) walk_.mark_slot_read(f, i);
  }
}

Checked Pruner::adopt_precision(const Checkpoint& old) {
  PrecisionSet set;
  for (unsigned f = old.state.top + 1; f-- > 0;) {
    const Marks& marks = old.state.marks[f];
    const Frame& frame = *old.state.frames[f];
    set.registers[f] = marks.precise & marks.read();
    set.slots[f] = marks.slots_precise & marks.slots_read;
    if (!walk_.log.shows_all_paths() || (set.registers[f] == 0 && set.slots[f] == 0)) continue;
    std::string text;
    for (unsigned i = 0; i < isa::kRegisters; ++i)
      if (set.registers[f] >> i & 1) text += fmt::format(",r{}", i);
    for (unsigned i = 0; i < frame.stack.size(); ++i)
      if (set.slots[f] >> i & 1) text += fmt::format(",fp-{}", (i + 1) * kSlotBytes);
    walk_.say("frame {}: propagating {}", f, text.substr(1));
  }
  return set.empty() ? Checked{} : mark_precise(walk_, set);
}

Checked Pruner::adopt(Checkpoint& old) {
  ++old.hits;
  adopt_reads(old);
  if (walk_.insn_info().is_jump_point) walk_.note_jump();
  return adopt_precision(old);
}

bool Pruner::is_useless(const Checkpoint& old) const {
  const std::uint32_t patience =
      walk_.insn_info().forces_checkpoint && old.state.branches > 0 ? kLoopPatience : kPatience;
  return old.misses > old.hits * patience + patience;
}

void Pruner::drop(Checkpoint** link) {
  if (walk_.explored != nullptr) walk_.explored->lost((*link)->insn);
  walk_.checkpoints.drop(link);
}

void Pruner::keep() {
  State& state = walk_.state;
  since_jumps_ = walk_.jumps_processed;
  since_insns_ = walk_.insns_processed;
  state.truncate_frames();
  Checkpoint* made = walk_.checkpoints.add(walk_.index, state);
  ++walk_.stats.total_states;
  walk_.stats.peak_states = std::max(walk_.stats.peak_states, walk_.checkpoints.held());
  state.parent = made;
  state.first_insn = static_cast<std::uint32_t>(walk_.index);
  state.history = 0;
  state.history_count = 0;
  state.dfs_depth = made->state.dfs_depth + 1;
  for (unsigned f = 0; f <= state.top; ++f) state.marks[f] = Marks{.has_parent = true};
}

CheckedOf<Pruner::Visit> Pruner::visit() {
  const bool forced = (walk_.input.flags & spec::kTestStateFreq) != 0 || walk_.insn_info().forces_checkpoint ||
                      walk_.state.history_count > kLongHistory;
  bool keeps = wants_checkpoint(forced);
  std::uint32_t states = 0;
  Checkpoint** link = &walk_.checkpoints.list(walk_.index, walk_.frame().callsite);
  while (Checkpoint* old = *link) {
    ++states;
    if (old->insn != walk_.index) {
      link = &old->next;
      continue;
    }
    clean(*old);
    Match match = Match::None;
    if (old->state.branches != 0) {
      TRY(match, match_open(*old));
      const bool early =
          walk_.jumps_processed - since_jumps_ < kLoopJumps && walk_.insns_processed - since_insns_ < kLoopInsns;
      if (match == Match::None && !forced && early) keeps = false;
    } else {
      match = match_done(*old);
    }
    if (match == Match::Hit) {
      TRY_VOID(adopt(*old));
      return Visit::Seen;
    }
    if (keeps) ++old->misses;
    if (is_useless(*old))
      drop(link);
    else
      link = &old->next;
  }
  walk_.stats.max_states_per_insn = std::max(walk_.stats.max_states_per_insn, states);
  if (!walk_.bpf_capable && states > kMostUnprivileged) keeps = false;
  if (keeps)
    keep();
  else if (walk_.explored != nullptr)
    walk_.explored->lost(walk_.index);
  return Visit::New;
}

void Pruner::path_ended() {
  for (State* at = &walk_.state;;) {
    const std::uint32_t left = --at->branches;
    if (left == 0 && at->parent != nullptr && at->loop_entry != nullptr) note_loop(at->parent->state, *at->loop_entry);
    if (left != 0 || at->parent == nullptr) return;
    at = &at->parent->state;
  }
}

}  // namespace skep::verifier
