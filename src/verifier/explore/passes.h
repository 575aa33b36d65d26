// What is looked at before the walk, in Linux's order: where subprograms begin and jumps lead; that constants of 64
// bits are whole and opcodes known; that every instruction is reached. Each takes the raw instructions: nothing is
// rejected earlier than Linux would. Tested by: verifier/explore/verify_test.cc.
#pragma once

#include "spec/verify.h"
#include "verifier/step/walk.h"

namespace skep::verifier {

Checked prepare(Walk& walk);

Checked check_subprograms(Walk& walk);
Checked check_constants(Walk& walk);
Checked check_flow(Walk& walk);
// Which registers may still be read, before each instruction. 6.18 lets only those learn from a branch. Needs what
// check_flow has established, that there are no loops.
void compute_liveness(Walk& walk);

}  // namespace skep::verifier
