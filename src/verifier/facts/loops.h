// What a loop may change: registers and stack slots that the others need not be joined with at its head, since what
// comes back from the loop's end is what went in. It keeps the counters of outer loops exact in inner ones.
//
// The loop of a head is the stretch of instructions to the last one that jumps back to the head, or to anything in
// between. Nothing is said of one that is entered other than through its head, or by a call. Tested by:
// verifier/facts/facts_test.cc, verifier/facts/loops_test.cc.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "isa/op.h"
#include "verifier/facts/blocks.h"

namespace skep::verifier {

struct Changed {
  isa::RegisterSet regs = 0;
  std::uint64_t slots = 0;  // bit n: the 8 bytes that end n slots below the frame pointer

  static constexpr Changed all() noexcept { return {0x7ff, ~std::uint64_t{0}}; }
  friend bool operator==(const Changed&, const Changed&) = default;
};

// By block; of blocks that are no loop heads everything.
std::vector<Changed> changed_by_loops(std::span<const isa::Insn> insns, const Blocks& blocks);

}  // namespace skep::verifier
