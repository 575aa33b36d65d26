// Whether a program does no harm on drawn inputs: what is asked of those that only this verifier accepts.
#pragma once

#include <cstdint>
#include <string>

#include "judge/program.h"
#include "soundness/world.h"

namespace skep::soundness {

struct Safety {
  enum class Kind : std::uint8_t { Safe, Unsafe, NotRun } kind = Kind::Safe;
  std::string why = {};  // not safe: the violation, or why it could not be run
};

// Runs it in the checked interpreter on `inputs` inputs, for each set of claims (trial.h).
Safety safety_of(World& world, const judge::Program& program, std::uint32_t inputs);

}  // namespace skep::soundness
