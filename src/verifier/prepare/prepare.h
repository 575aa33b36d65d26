// What is looked at before the walk, in Linux's order, which decides the error that a bad program gets.
//
// Where functions and source lines are said to be; where subprograms begin and jumps lead; what the program is attached
// to; what its 64-bit constants are and that its codes are known; that every instruction is reached, and where states
// are compared; which calls keep registers. Each pass takes the raw instructions: nothing is rejected earlier than
// Linux would. What they find stands in Walk::subprogs, info, funcs, lines and attached. Cost: linear in the program,
// but for finding a subprogram by its start. Source: the observable order and words of Linux 6.12. Tested by:
// verifier/prepare/*_test.cc (against the running kernel).
#pragma once

#include "verifier/step/walk.h"

namespace skep::verifier {

// All of them.
Checked prepare(Walk& walk);

// ---- One by one, in their order
Checked read_functions(Walk& walk);     // func_info by itself
Checked find_subprograms(Walk& walk);   // and the kernel functions that are called
Checked check_subprograms(Walk& walk);  // jumps stay inside, ends do not fall through
Checked match_functions(Walk& walk);    // func_info and line_info against the subprograms
Checked resolve_constants(Walk& walk);  // ld_imm64
Checked check_flow(Walk& walk);
Checked check_target(Walk& walk);  // what it is attached to
void mark_fastcalls(Walk& walk);
// Which registers may still be read, before each instruction. 6.18 lets only those learn from a branch.
void compute_liveness(Walk& walk);

// ---- Parts of them
// The map may be used by this program.
Checked check_map(Walk& walk, const spec::MapView& map);

}  // namespace skep::verifier
