// The pass that engines may rely on: what every register holds on entry to each instruction of a verified program.
//
// Forward, over all edges of the flow graph, joined where they meet; nothing of what the walk explored is used. Numbers
// are the domain's scalars with their transfer functions and refinements; edges that no number takes are not followed.
// A function that is called is entered with the join of what its callers pass, one that is called back with anything;
// what a call returns is unknown. Values spilled to the stack as 8 bytes at a constant offset are followed until
// something may have written there.
//
// Blocks are visited in program order, the first one that changed next, so that inner loops settle first. Loop heads
// are widened from their third visit on. A second visit of each block, without widening, starts from the edges' last
// states; what it finds is sound whatever the first found, and gives loops their bounds back. Programs without
// backward edges take that visit only. Cost: some 100 ns an instruction. Source: Cousot and Cousot, "Abstract
// Interpretation" (POPL 1977); Amato, Scozzari, "Localizing Widening and Narrowing" (SAS 2013). Tested by:
// verifier/facts/facts_test.cc; skep-soundness and every run under the checked policy compare it with what happens.
#pragma once

#include "spec/facts.h"
#include "spec/verify.h"

namespace skep::verifier {

// `program` is what verifying `input` gave.
spec::Facts find_facts(const spec::VerifyInput& input, const spec::VerifiedProgram& program);

}  // namespace skep::verifier
