// Calls between a program's own functions, and what a path's end asks.
//
// Subprograms are entered and left within one walk; global functions are not: they are verified by themselves, and a call
// is checked against what their BTF says. Callbacks are entered as a fork, again and again until the state converges.
// Tested by: verifier/explore/verify_test.cc and the selftests.
#pragma once

#include <cstdint>
#include <span>

#include "verifier/step/walk.h"

namespace skep::verifier {

// How a helper or kfunc that takes a function calls it: what its r1 to r5 are, made from the caller's registers; what it
// may return.
struct CallbackShape {
  CallKind kind = CallKind::Callback;
  std::array<Register, 6> arguments;  // [1] to [5]; Unset: not readable
  ReturnRange returns{0, 1};
};
// Pushes the path through the callback (register `function_number` is a Function), for the call at walk.index.
Checked enter_callback(Walk& walk, std::uint32_t subprog, const CallbackShape& shape);

// A path of the main program or of a global function starts: r1 to r5 as its type or its BTF says (call.cc).
Checked start_function(Walk& walk, std::uint32_t subprog);
// Locks, references, sections must have ended: before a tail call, an exit, a throw; `what` names it in the log.
Checked check_resources(Walk& walk, bool exception_exit, std::string_view what);

}  // namespace skep::verifier
