// Where a tail call goes, for whichever engine makes it. Tested by: interp/run_test.cc, runtime/engines_test.cc.
#pragma once

#include <cstdint>

#include "exec/call.h"
#include "exec/executable.h"

namespace skep::exec {

// The program that a tail call goes to, which has then been counted; null when it goes nowhere, and the program goes on
// behind it.
const Executable* tail_target(Call& call, std::uint64_t map, std::uint64_t index) noexcept;

}  // namespace skep::exec
