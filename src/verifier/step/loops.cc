#include "verifier/step/loops.h"

#include "verifier/state/equal.h"

namespace skep::verifier {

bool same_callers(const State& a, const State& b) noexcept {
  if (a.top != b.top) return false;
  for (unsigned i = 0; i <= a.top; ++i)
    if (a.frames[i]->callsite != b.frames[i]->callsite) return false;
  return true;
}

Checkpoint* previous_visit(Walk& walk, const State& state, std::size_t insn) {
  for (Checkpoint* at = walk.checkpoints.list(insn, walk.frame().callsite); at != nullptr; at = at->next)
    if (at->insn == insn && at->state.branches != 0 && same_callers(at->state, state) &&
        at->state.dfs_depth < state.dfs_depth)
      return at;
  return nullptr;
}

void widen_imprecise(Walk& walk, const State& old, State& now) {
  if (!walk.bpf_capable) return;
  IdMap ids;
  ids.reset(walk.last_id);
  Comparison comparison({.reads_uninit_stack = true, .all_precise = false, .exact_scalars = false}, ids);
  const auto changed = [&](const Register& was, const Register& is, bool precise) {
    return was.is_scalar() && is.is_scalar() && !precise && !comparison.same(was, is);
  };
  for (unsigned f = old.top + 1; f-- > 0;) {
    const Frame& before = *old.frames[f];
    const Marks& marks = old.marks[f];
    for (std::size_t i = 0; i < before.registers.size(); ++i)
      if (changed(before.registers[i], now.frames[f]->registers[i], marks.precise >> i & 1))
        now.mutable_frame(f).registers[i] = Register::unknown();
    for (std::size_t i = 0; i < before.stack.size() && i < now.frames[f]->stack.size(); ++i) {
      const Slot& is = now.frames[f]->stack[i];
      if (before.stack[i].holds_register() && is.holds_register() &&
          changed(before.stack[i].spilled, is.spilled, marks.slots_precise >> i & 1))
        now.mutable_frame(f).stack[i].spilled = Register::unknown();
    }
  }
}

Checkpoint* loop_entry(State& state) noexcept {
  Checkpoint* outermost = state.loop_entry;
  while (outermost != nullptr && outermost->state.loop_entry != nullptr && outermost->state.loop_entry != outermost)
    outermost = outermost->state.loop_entry;
  for (State* at = &state; at->loop_entry != outermost;) {  // shorter the next time
    Checkpoint* next = at->loop_entry;
    at->loop_entry = outermost;
    at = &next->state;
  }
  return outermost;
}

void note_loop(State& state, Checkpoint& head) noexcept {
  const Checkpoint* own = loop_entry(state);
  const Checkpoint* entry = loop_entry(head.state);
  const State& from = own != nullptr ? own->state : state;
  const State& to = entry != nullptr ? entry->state : head.state;
  if (to.branches == 0 || to.dfs_depth > from.dfs_depth) return;
  state.loop_entry = &head;
  head.is_loop_entry = true;
}

}  // namespace skep::verifier
