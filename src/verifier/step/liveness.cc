// Marks of reading climb from a state to the checkpoints it came from, until one wrote the register or knows already.
#include <algorithm>

#include "verifier/step/walk.h"

namespace skep::verifier {

void Walk::climb_read(unsigned frame_index, unsigned number, bool full) {
  const auto bit = static_cast<std::uint16_t>(1U << number);
  const Marks* marks = &state.marks[frame_index];
  std::uint32_t climbed = 0;
  for (Checkpoint* at = state.parent; at != nullptr; at = at->state.parent) {
    if (marks->written & bit) break;
    frame_index = marks->ancestor_of(number, frame_index);
    if (frame_index == Marks::kNone) break;
    Marks& above = at->state.marks[frame_index];
    if ((above.read_full & bit) || (!full && (above.read_half & bit))) break;
    if (full) {
      above.read_full |= bit;
      above.read_half &= static_cast<std::uint16_t>(~bit);
    } else {
      above.read_half |= bit;
    }
    marks = &above;
    ++climbed;
  }
  stats.longest_mark_read_walk = std::max(stats.longest_mark_read_walk, climbed);
}

void Walk::mark_slot_read(unsigned frame_index, std::size_t slot) {
  const std::uint64_t bit = std::uint64_t{1} << slot;
  const Marks* marks = &state.marks[frame_index];
  std::uint32_t climbed = 0;
  for (Checkpoint* at = state.parent; at != nullptr && marks->has_parent; at = at->state.parent) {
    if (marks->slots_written & bit) break;
    Marks& above = at->state.marks[frame_index];
    if (slot >= at->state.frames[frame_index]->stack.size() || (above.slots_read & bit)) break;
    above.slots_read |= bit;
    marks = &above;
    ++climbed;
  }
  stats.longest_mark_read_walk = std::max(stats.longest_mark_read_walk, climbed);
}

}  // namespace skep::verifier
