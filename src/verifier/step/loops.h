// What lets loops that the verifier cannot count end: bpf_for and its kin, may_goto, bpf_loop.
//
// At their instruction a checkpoint is kept at every visit. A path that comes round again is compared with the ones
// before, and numbers that changed without mattering are forgotten (widened), so that the next round is the same as
// this one. Checkpoints in a loop whose entry is still being walked are not complete: loop entries say so. Source: the
// observable algorithm of Linux 6.12. Tested by: verifier/explore/loops_test.cc.
#pragma once

#include "verifier/step/walk.h"

namespace skep::verifier {

// The latest checkpoint of this path at `insn` with the same callers, from before `state`; null when there is none.
Checkpoint* previous_visit(Walk& walk, const State& state, std::size_t insn);
// Forgets in `now` the numbers that differ from `old` and matter in neither.
void widen_imprecise(Walk& walk, const State& old, State& now);
bool same_callers(const State& a, const State& b) noexcept;

// The outermost loop entry of a state; null when it is in none.
Checkpoint* loop_entry(State& state) noexcept;
// `state` came to `head` again: it is in the loop that head begins.
void note_loop(State& state, Checkpoint& head) noexcept;

}  // namespace skep::verifier
