// A program in which two verifiers disagree, made smaller as long as they disagree in the same words.
#pragma once

#include "judge/judge.h"

namespace skep::judge {

// Runs of instructions are taken out, then flags and immediates made simple. Cost: some hundred judgements,
// two seconds at most.
Program minimised(const Court& court, Program program);

}  // namespace skep::judge
