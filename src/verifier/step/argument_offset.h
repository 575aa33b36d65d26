// How far from its start a pointer may be that is handed to a helper, a kernel function or a global function.
//
// Memory may be entered anywhere, kernel objects at a fixed place; everything else, and what is given up, at its start
// only. Tested by: verifier/explore/global_test.cc.
#pragma once

#include <cstdint>

#include "verifier/step/walk.h"

namespace skep::verifier {

enum class Handover : std::uint8_t { Lends, Releases };
Checked check_argument_offset(Walk& walk, unsigned number, Handover handover = Handover::Lends);

}  // namespace skep::verifier
