// What the verifier's facts claim of registers, compared with what they hold: the checked policy does it on entry to
// every instruction, so that each run is a test of the facts (spec/facts.h).
//
// A register is compared where its value or the claim about it is new, which is everywhere that matters: in between
// neither changes. A pointer into a map's value that moved by an unknown number and has left the value is let pass:
// what it was made from cannot be told. Cost: some 3 ns an instruction. Tested by: interp/claims_test.cc. Internal to
// interp/.
#pragma once

#include <cstdint>

#include "interp/machine.h"

namespace skep::interp {

// Whether the registers `r` on entry to the instruction at `pc` are as machine.facts claims.
bool claims_hold(const Machine& machine, const Code* pc, const std::uint64_t* r) noexcept;

// Stops the program (Failure::Kind::WrongFact) for the claim that does not hold.
std::uint64_t stop_refuted(Machine& machine, const Code* pc, const std::uint64_t* r) noexcept;

}  // namespace skep::interp
