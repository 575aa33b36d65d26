#include "soundness/draw.h"

#include <algorithm>
#include <cstring>

namespace skep::soundness {

void Draw::fill(std::span<std::byte> bytes) noexcept {
  const std::uint64_t kind = below(3);
  for (std::size_t at = 0; at < bytes.size(); at += 8) {
    std::uint64_t eight = (*this)();
    if (kind == 0 && eight % 3 == 0) eight = 0;
    if (kind == 1) eight &= 0x0307'0103'0f01'0307;
    std::memcpy(bytes.data() + at, &eight, std::min<std::size_t>(8, bytes.size() - at));
  }
}

}  // namespace skep::soundness
