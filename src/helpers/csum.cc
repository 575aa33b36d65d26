// Checksums. csum_diff gives 16 bits of memory of any size, as Linux 6.18 does; 6.12 leaves the sum unfolded and
// refuses sizes that are no multiple of 4, or above 512 bytes.
#include "packet/csum.h"

#include "helpers/subjects.h"
#include "packet/sk_ops.h"

namespace skep::helpers {

namespace {

using packet::SkBuff;

std::int64_t csum_diff(Call&, Bytes from, Bytes to, std::uint32_t seed) noexcept {
  return packet::csum_diff(from, to, seed);
}
int l3_csum_replace(Call&, SkBuff& skb, std::uint32_t offset, std::uint64_t from, std::uint64_t to,
                    std::uint64_t flags) noexcept {
  return packet::l3_csum_replace(skb, offset, from, to, flags);
}
int l4_csum_replace(Call&, SkBuff& skb, std::uint32_t offset, std::uint64_t from, std::uint64_t to,
                    std::uint64_t flags) noexcept {
  return packet::l4_csum_replace(skb, offset, from, to, flags);
}
std::int64_t csum_update(Call&, SkBuff& skb, std::uint32_t difference) noexcept {
  return packet::csum_update(skb, difference);
}
int csum_level(Call&, SkBuff& skb, std::uint64_t what) noexcept { return packet::csum_level(skb, what); }

}  // namespace

std::span<const Binding> csum_bindings() noexcept {
  static constexpr Binding rows[] = {
      SKEP_BIND(csum_diff),   SKEP_BIND(l3_csum_replace), SKEP_BIND(l4_csum_replace),
      SKEP_BIND(csum_update), SKEP_BIND(csum_level),
  };
  return rows;
}

}  // namespace skep::helpers
