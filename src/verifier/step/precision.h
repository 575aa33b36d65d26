// Which numbers mattered. A scalar that never mattered on any path from a checkpoint matches any scalar when states are
// compared; this is what makes pruning work. mark_precise() is asked at a known branch, a size, an index, and when a
// state was pruned by a checkpoint in which numbers are marked. Source: the observable algorithm of Linux 6.12. Tested
// by: verifier/explore/verify_test.cc.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "verifier/step/walk.h"

namespace skep::verifier {

// Registers and stack slots of each frame.
struct PrecisionSet {
  std::array<std::uint32_t, isa::kMaxFrames> registers{};
  std::array<std::uint64_t, isa::kMaxFrames> slots{};

  bool has(const LinkedPlace& place) const noexcept {
    return (place.is_slot ? slots[place.frame] : registers[place.frame]) >> place.number & 1;
  }
  void add(const LinkedPlace& place) noexcept {
    if (place.is_slot)
      slots[place.frame] |= std::uint64_t{1} << place.number;
    else
      registers[place.frame] |= 1U << place.number;
  }
  bool empty() const noexcept {
    return std::ranges::all_of(registers, [](auto mask) { return mask == 0; }) &&
           std::ranges::all_of(slots, [](auto mask) { return mask == 0; });
  }
  void clear() noexcept { *this = {}; }
};

// Of the current state, before the instruction at walk.index. Leaves the set empty, or rejects a way back that cannot
// be.
Checked mark_precise(Walk& walk, PrecisionSet& set);

}  // namespace skep::verifier
