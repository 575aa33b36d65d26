// A program in which a claim is violated, made smaller as long as one is.
#pragma once

#include <cstdint>

#include "judge/program.h"
#include "soundness/trial.h"

namespace skep::soundness {

// Instructions are taken out, one after the other, where the program is still accepted and the run on the same input
// still fails in the same way. Cost: two verifications and a run for each instruction and round.
judge::Program minimised(World& world, judge::Program program, Claims claims, std::uint64_t seed,
                         exec::Failure::Kind kind);

}  // namespace skep::soundness
