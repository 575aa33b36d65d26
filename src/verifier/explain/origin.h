// Where a value came from: its way back along the trail of a rejected path, through moves, spills, fills and calls, to
// the instruction that made it; and what happened to it and to what is known of it on the way.
//
// A value lives in one place at a time: a register of a frame, or a stack slot. Going back over a step, the place it
// is in either was written by that step, which decides where to look before it, or was not; then a difference in what
// was known before and after is something the path learnt (a branch) or lost (a call). Arithmetic goes on with the
// pointer, or with the operand that is not a constant. The oldest step is where the trail has nothing older, or where
// the value was made. Cost: linear in the trail. Tested by: verifier/explain/explain_test.cc, tests/verify.
#pragma once

#include <cstdint>
#include <vector>

#include "verifier/step/walk.h"

namespace skep::verifier {

struct ValuePlace {
  unsigned frame = 0;
  bool is_slot = false;
  std::size_t number = 0;  // of the register or the slot
};

struct Event {
  enum class What : std::uint8_t {
    Given,     // the program, a function or a callback began with it
    Loaded,    // from memory
    Constant,  // a number or an address in the instruction
    Returned,  // by a helper, a kernel function or a global function
    Computed,  // arithmetic
    Learnt,    // by a branch
    Lost,      // a call made less of it, or nothing
    Written,   // to the stack by a helper
  };
  What what = What::Given;
  std::size_t step = 0;  // of the trail
  std::size_t insn = 0;
  ValuePlace place;  // where the value was behind the step
  Register after;    // and what was known of it
};

// The oldest first. The value is the one in `place` before step `step`.
std::vector<Event> way_of(const Walk& walk, std::size_t step, ValuePlace place);

// What is in a place before step `step`.
Register value_in(const Walk& walk, std::size_t step, const ValuePlace& place);

}  // namespace skep::verifier
