// Calls between a program's own functions, and what a path's end asks.
//
// Subprograms are entered and left within one walk; global functions are not: they are verified by themselves, and a
// call is checked against what their BTF says. Callbacks are entered as a fork, again and again until the state
// converges: whoever returns from one is back at the call. Those that run later (timers) start a state of their own.
// Tested by: verifier/explore/call_test.cc and the selftests.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "spec/helpers.h"
#include "verifier/step/walk.h"

namespace skep::verifier {

// How a helper or kfunc that takes a function calls it: what its r1 to r5 are, made from the caller's registers; what
// it may return.
struct CallbackShape {
  CallKind kind = CallKind::Callback;
  std::array<Register, 6> arguments = {};  // [1] to [5]; Unset: not readable
  ReturnRange returns{0, 1};
  bool may_sleep = false;  // of a callback that runs later
};
// Pushes the path through the callback, for the call at walk.index.
Checked enter_callback(Walk& walk, std::uint32_t subprog, const CallbackShape& shape);
// The same for a helper, whose arguments were checked: what it passes, and whether it calls at all (bpf_loop).
Checked enter_helper_callback(Walk& walk, spec::HelperId helper, std::uint32_t subprog);
// What timers and work queues pass to their callbacks: map, key and value, of the map value in register `number`.
CallbackShape later_shape(const Walk& walk, unsigned number);

// A frame on top of `state`, for a call at walk.index; the callee's r1 to r5 are what `arguments` says.
Checked push_frame(Walk& walk, State& state, std::uint32_t subprog, const std::array<Register, 6>& arguments);

// A path of the main program or of a global function starts: r1 to r5 as its type or its BTF says.
Checked start_function(Walk& walk, std::uint32_t subprog);

// The frame on top is left, as by an exit; the path goes on in its caller.
Checked leave_function(Walk& walk);

// Calls of kernel functions that are not there: fine as long as no path comes to them. After the walk.
Checked check_absent_kfuncs(const Walk& walk);

// Locks, references, sections must have ended: before a tail call, a throw; `what` names it in the log.
Checked check_resources(Walk& walk, bool exception_exit, std::string_view what);
// References alone: those of the path at its end, those of a callback at the callback's. True when none is left.
bool all_released(Walk& walk, bool exception_exit);

}  // namespace skep::verifier
