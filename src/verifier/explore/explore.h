// The walk over all paths of one function: the newest first, to its exit, to a state that was seen to be safe, or to a
// rejection. Bounded by isa::kMaxInsns steps and kMaxForks paths waiting. Tested by: verifier/explore/verify_test.cc.
#pragma once

#include <cstdint>

#include "verifier/step/walk.h"

namespace skep::verifier {

// The main program (0), or a global function by itself.
Checked explore(Walk& walk, std::uint32_t subprog);

}  // namespace skep::verifier
