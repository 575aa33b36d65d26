#include "verifier/state/frame.h"

#include <algorithm>

namespace skep::verifier {

unsigned Slot::spilled_bytes() const noexcept {
  const auto other = std::find_if(bytes.rbegin(), bytes.rend(), [](ByteKind kind) { return kind != ByteKind::Spill; });
  return static_cast<unsigned>(other - bytes.rbegin());
}

bool Slot::is_valid() const noexcept {
  return std::ranges::any_of(bytes, [](ByteKind kind) { return kind != ByteKind::Invalid; });
}

}  // namespace skep::verifier
