#include <cerrno>

#include "base/errno.h"
#include "packet/csum.h"
#include "packet/sk_ops.h"

namespace skep::packet {

namespace {

constexpr std::uint16_t kMangledZero = 0xffff;
constexpr std::uint8_t kMaxLevel = 3;

// 0 when a checksum field may be at `offset`.
int check_field(const SkBuff& skb, std::uint32_t offset) noexcept {
  if (offset > 0xffff || (offset & 1) != 0) return -EFAULT;
  return offset + 2 > skb.len ? -EFAULT : 0;
}

// A transport checksum whose packet's pseudo header (or data) changes from one value to another.
std::uint16_t transport_changed(SkBuff& skb, std::uint16_t check, std::uint32_t from, std::uint32_t to,
                                bool pseudo) noexcept {
  if (skb.ip_summed == kChecksumPartial)  // the field holds the sum of the pseudo header alone
    return pseudo ? csum_reduce(csum_add(csum_sub(check, from), to)) : check;
  if (skb.ip_summed == kChecksumComplete && pseudo) skb.csum = ~csum_add(csum_sub(~skb.csum, from), to);
  return csum_changed(check, from, to);
}

std::uint16_t transport_changed_by(SkBuff& skb, std::uint16_t check, std::uint32_t difference,
                                   std::uint64_t flags) noexcept {
  const bool pseudo = (flags & kCsumPseudoHeader) != 0;
  if (skb.ip_summed == kChecksumPartial) return pseudo ? csum_reduce(csum_add(difference, check)) : check;
  // Over IPv6 the network header has no checksum that would make up for a change of its addresses.
  if (skb.ip_summed == kChecksumComplete && pseudo && (flags & kCsumIpv6) == 0)
    skb.csum = ~csum_sub(difference, skb.csum);
  return csum_changed_by(check, difference);
}

}  // namespace

int l3_csum_replace(SkBuff& skb, std::uint32_t offset, std::uint64_t from, std::uint64_t to,
                    std::uint64_t flags) noexcept {
  if ((flags & ~std::uint64_t{kCsumFieldMask}) != 0) return -EINVAL;
  if (const int error = check_field(skb, offset)) return error;
  std::byte* const field = skb.data + offset;
  const auto check = load<std::uint16_t>(field);
  switch (flags) {
    case 0:
      if (from != 0) return -EINVAL;
      store(field, csum_changed_by(check, static_cast<std::uint32_t>(to)));
      return 0;
    case 2:
      store(field, csum_changed16(check, static_cast<std::uint16_t>(from), static_cast<std::uint16_t>(to)));
      return 0;
    case 4:
      store(field, csum_changed(check, static_cast<std::uint32_t>(from), static_cast<std::uint32_t>(to)));
      return 0;
    default: return -EINVAL;
  }
}

int l4_csum_replace(SkBuff& skb, std::uint32_t offset, std::uint64_t from, std::uint64_t to,
                    std::uint64_t flags) noexcept {
  constexpr std::uint64_t known = kCsumFieldMask | kCsumPseudoHeader | kCsumMangledZero | kCsumEnforce | kCsumIpv6;
  if ((flags & ~known) != 0) return -EINVAL;
  if (const int error = check_field(skb, offset)) return error;
  std::byte* const field = skb.data + offset;
  auto check = load<std::uint16_t>(field);
  const bool mangled_zero = (flags & kCsumMangledZero) != 0;
  if (mangled_zero && (flags & kCsumEnforce) == 0 && check == 0) return 0;
  const bool pseudo = (flags & kCsumPseudoHeader) != 0;
  switch (flags & kCsumFieldMask) {
    case 0:
      if (from != 0) return -EINVAL;
      check = transport_changed_by(skb, check, static_cast<std::uint32_t>(to), flags);
      break;
    case 2:
      check = transport_changed(skb, check, static_cast<std::uint16_t>(from), static_cast<std::uint16_t>(to), pseudo);
      break;
    case 4:
      check = transport_changed(skb, check, static_cast<std::uint32_t>(from), static_cast<std::uint32_t>(to), pseudo);
      break;
    default: return -EINVAL;
  }
  store(field, mangled_zero && check == 0 ? kMangledZero : check);
  return 0;
}

std::int64_t csum_update(SkBuff& skb, std::uint32_t difference) noexcept {
  if (skb.ip_summed != kChecksumComplete) return -kNotSupported;
  skb.csum = csum_add(skb.csum, difference);
  return skb.csum;
}

int csum_level(SkBuff& skb, std::uint64_t what) noexcept {
  const bool verified = skb.ip_summed == kChecksumUnnecessary;
  switch (what) {
    case 0: return verified ? skb.csum_level : -EACCES;
    case 1:
      if (verified && skb.csum_level < kMaxLevel) {
        ++skb.csum_level;
      } else if (skb.ip_summed == kChecksumNone) {
        skb.ip_summed = kChecksumUnnecessary;
        skb.csum_level = 0;
      }
      return 0;
    case 2:
      if (verified && skb.csum_level == 0)
        skb.ip_summed = kChecksumNone;
      else if (verified)
        --skb.csum_level;
      return 0;
    case 3: csum_unverified(skb); return 0;
    default: return -EINVAL;
  }
}

void csum_without(SkBuff& skb, Bytes bytes, std::uint64_t offset) noexcept {
  if (skb.ip_summed == kChecksumComplete) skb.csum = csum_sub(skb.csum, csum_at(csum_partial(bytes, 0), offset));
}

void csum_with(SkBuff& skb, Bytes bytes, std::uint64_t offset) noexcept {
  if (skb.ip_summed == kChecksumComplete) skb.csum = csum_add(skb.csum, csum_at(csum_partial(bytes, 0), offset));
}

void csum_unverified(SkBuff& skb) noexcept {
  if (skb.ip_summed != kChecksumUnnecessary) return;
  skb.ip_summed = kChecksumNone;
  skb.csum_level = 0;
}

}  // namespace skep::packet
