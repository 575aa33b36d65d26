#include "jit/x64/layout.h"

namespace skep::jit::x64 {

std::vector<std::uint32_t> Layout::offsets(std::size_t slots) const {
  std::vector<std::uint32_t> found(slots, kNoSlot);
  for (const Piece& piece : pieces)
    if (piece.slot < slots && found[piece.slot] == kNoSlot) found[piece.slot] = piece.offset;
  std::uint32_t next = shared;
  for (std::size_t slot = slots; slot-- > 0;) {
    if (found[slot] == kNoSlot) found[slot] = next;
    next = found[slot];
  }
  return found;
}

}  // namespace skep::jit::x64
