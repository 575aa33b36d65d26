// What the walk itself claims of registers: a second set of claims beside the facts, for tests of the walk's soundness
// only. Engines may not rely on it; docs/design/facts.md says why it holds and where.
//
// A checkpoint stands for all states that were found to be inside it, as far as its registers are live and precise. So
// where every visit of an instruction left a checkpoint, and in each of them a register was read later and is a
// precise number, that register holds a number of one of them whenever a run comes there. Visits that leave none say
// nothing of their registers; programs loaded with BPF_F_TEST_STATE_FREQ leave one at every prune point. Marks are
// complete when the walk is, so they are gathered at its end. Cost: 700 bytes an instruction; nothing when off. Tested
// by: verifier/explore/explored_test.cc; skep-soundness compares runs with it.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "spec/facts.h"
#include "spec/verify.h"
#include "verifier/domain/scalar.h"

namespace skep::verifier {

struct Walk;

class Explored {
 public:
  // The walk went through the instruction at `insn` and keeps no state of it, or one that is dropped before its end.
  void lost(std::size_t insn) { at(insn).claimed = 0; }
  // The walk of one function is complete: its checkpoints are as they will be.
  void gather(const Walk& walk);
  // The claims about the instructions of `program`, which verifying gave.
  spec::Facts claims(const spec::VerifiedProgram& program) const;

 private:
  using Number = Scalar<64>;
  struct Place {
    bool is_visited = false;
    std::uint16_t claimed = 0x7ff;  // registers that are live and precise in all visits up to now
    std::array<Number, isa::kRegisters> numbers;
  };
  Place& at(std::size_t insn);

  std::vector<Place> places_;  // by instruction of the input
};

}  // namespace skep::verifier
