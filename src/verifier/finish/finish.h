// What is done after the walk: how deep the stack gets, and what the walk has shown to be superfluous.
//
// finish() looks at all frames that can be live together, and then makes the program that runs: branches that only ever
// went one way become gotos, what no path reached goes, and so do registers kept around calls that keep them. Whoever
// has no right to load such programs keeps the dead code, as traps, as in Linux. What else Linux rewrites (guards of
// divisions, inlined helpers) engines have no use for; it is made for those who look at the program (translate.h).
// Source: the observable behaviour of Linux 6.12. Tested by: verifier/finish/*_test.cc, the selftests that compare
// `bpftool prog dump xlated`.
#pragma once

#include "verifier/step/walk.h"

namespace skep::verifier {

// Fills the program's instructions and functions.
Checked finish(Walk& walk, spec::VerifiedProgram& program);

// ---- Its parts, in their order
// Calls keep their registers by themselves: what the stack needs less is known afterwards.
void shrink_stacks(Walk& walk);
Checked check_stack_depth(Walk& walk);

}  // namespace skep::verifier
