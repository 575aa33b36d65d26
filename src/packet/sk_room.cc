#include <cerrno>
#include <cstdlib>

#include "base/errno.h"
#include "packet/frame.h"
#include "packet/sk_ops.h"

namespace skep::packet {

namespace {

constexpr std::uint64_t kEncapL3 = kRoomEncapIpv4 | kRoomEncapIpv6;
constexpr std::uint64_t kEncapL4 = kRoomEncapGre | kRoomEncapUdp;
constexpr std::uint64_t kDecapL3 = kRoomDecapIpv4 | kRoomDecapIpv6;
constexpr std::uint64_t kShrinkFlags = kRoomFixedGso | kDecapL3 | kRoomNoCsumReset;
constexpr std::uint64_t kAllFlags =
    kShrinkFlags | kEncapL3 | kEncapL4 | kRoomEncapEth | (std::uint64_t{0xff} << kRoomInnerMacShift);
constexpr std::uint32_t kMaxDifference = 0xfff;
constexpr std::uint32_t kEthernet = 14;

constexpr std::uint32_t kGsoTcp4 = 1U << 0;
constexpr std::uint32_t kGsoDodgy = 1U << 1;
constexpr std::uint32_t kGsoTcp6 = 1U << 4;
constexpr std::uint32_t kGsoUdpL4 = 1U << 17;

const std::uint16_t kIpv4 = to_be(std::uint16_t{0x0800});
const std::uint16_t kIpv6 = to_be(std::uint16_t{0x86dd});

std::uint32_t ip_header(std::uint32_t protocol) noexcept { return protocol == kIpv6 ? 40 : 20; }

// Segmented packets other than TCP keep their header lengths, unless it is UDP and the segment size stays.
bool refuses(const SkBuff& skb, std::uint64_t flags) noexcept {
  if (skb.gso_size == 0 || (skb.gso_type & (kGsoTcp4 | kGsoTcp6)) != 0) return false;
  return (skb.gso_type & kGsoUdpL4) == 0 || (flags & kRoomFixedGso) == 0;
}

void resegment(SkBuff& skb, std::int32_t header_growth, std::uint64_t flags) noexcept {
  if (skb.gso_size == 0) return;
  skb.gso_type |= kGsoDodgy;
  skb.gso_segs = 0;
  if ((flags & kRoomFixedGso) == 0)
    skb.gso_size = static_cast<std::uint16_t>(static_cast<std::int32_t>(skb.gso_size) - header_growth);
}

int check_encap(const SkBuff& skb, std::uint32_t size, std::uint64_t flags) noexcept {
  const std::uint64_t inner_mac = flags >> kRoomInnerMacShift;
  if ((flags & kEncapL3) == kEncapL3 || (flags & kEncapL4) == kEncapL4) return -EINVAL;
  if ((flags & kRoomEncapEth) != 0 && inner_mac < kEthernet) return -EINVAL;
  if (skb.encapsulated) return -EALREADY;
  return inner_mac > size ? -EINVAL : 0;
}

void encapsulate(SkBuff& skb, std::uint32_t mac_len, std::uint64_t flags) noexcept {
  skb.encapsulated = true;
  // The new outer headers begin where data is, with a link-layer header as long as before.
  skb.network_offset = static_cast<std::int32_t>(mac_len);
  if ((flags & kEncapL4) != 0) {
    skb.transport_offset = skb.network_offset + ((flags & kRoomEncapIpv6) != 0 ? 40 : 20);
    skb.transport_set = true;
  }
  if (skb.protocol == kIpv4 && (flags & kRoomEncapIpv6) != 0)
    skb.protocol = kIpv6;
  else if (skb.protocol == kIpv6 && (flags & kRoomEncapIpv4) != 0)
    skb.protocol = kIpv4;
}

int grow(SkBuff& skb, std::uint32_t at, std::uint32_t size, std::uint64_t flags) noexcept {
  if (refuses(skb, flags)) return -kNotSupported;
  if (!make_gap_room(skb, at, size)) return -ENOMEM;
  const bool encap = (flags & kEncapL3) != 0;
  if (encap)
    if (const int error = check_encap(skb, size, flags)) return error;
  const bool same = skb.transport_offset == skb.network_offset;
  open_gap(skb, at, size);
  if (!same) skb.transport_offset += static_cast<std::int32_t>(size);
  if (encap) encapsulate(skb, static_cast<std::uint32_t>(skb.network_offset - skb.mac_offset), flags);
  resegment(skb, static_cast<std::int32_t>(size), flags);
  return 0;
}

int shrink(SkBuff& skb, std::uint32_t at, std::uint32_t size, std::uint64_t flags) noexcept {
  if ((flags & ~kShrinkFlags) != 0) return -EINVAL;
  if (refuses(skb, flags)) return -kNotSupported;
  const bool same = skb.transport_offset == skb.network_offset;
  if (const int error = close_gap(skb, at, size)) return error;
  if (!same) skb.transport_offset -= static_cast<std::int32_t>(size);
  if (skb.protocol == kIpv4 && (flags & kRoomDecapIpv6) != 0)
    skb.protocol = kIpv6;
  else if (skb.protocol == kIpv6 && (flags & kRoomDecapIpv4) != 0)
    skb.protocol = kIpv4;
  resegment(skb, -static_cast<std::int32_t>(size), flags);
  return 0;
}

// The least network header that must remain after shrinking; 0 for a combination of flags that means nothing.
std::uint32_t least_header(const SkBuff& skb, std::uint64_t flags) noexcept {
  switch (flags & kDecapL3) {
    case 0: return ip_header(skb.protocol);
    case kRoomDecapIpv4: return 20;
    case kRoomDecapIpv6: return 40;
    default: return 0;
  }
}

// Whether the packet may become `difference` bytes longer.
bool fits(const SkBuff& skb, std::int32_t difference, std::uint32_t least) noexcept {
  const std::int64_t network = std::int64_t{skb.len} - skb.network_offset;
  if (difference >= 0) return skb.gso_size != 0 || skb.len + static_cast<std::uint32_t>(difference) <= kSkbMaxLen;
  return network + difference > 0 && network + difference >= least;
}

}  // namespace

int adjust_room(SkBuff& skb, std::int32_t difference, std::uint32_t mode, std::uint64_t flags) noexcept {
  if ((flags & ~kAllFlags) != 0) return -EINVAL;
  const auto size = static_cast<std::uint32_t>(std::abs(std::int64_t{difference}));
  if (size > kMaxDifference) return -EFAULT;
  if (skb.protocol != kIpv4 && skb.protocol != kIpv6) return -kNotSupported;
  if (mode > static_cast<std::uint32_t>(RoomMode::Mac)) return -kNotSupported;
  const auto mac_len = static_cast<std::uint32_t>(skb.network_offset - skb.mac_offset);
  const std::uint32_t at = mac_len + (mode == static_cast<std::uint32_t>(RoomMode::Net) ? ip_header(skb.protocol) : 0);
  const std::uint32_t least = least_header(skb, flags);
  if ((flags & kDecapL3) != 0 && (difference >= 0 || least == 0)) return -EINVAL;
  if (!fits(skb, difference, least)) return -kNotSupported;
  const int error = difference < 0 ? shrink(skb, at, size, flags) : grow(skb, at, size, flags);
  if (error == 0 && (flags & kRoomNoCsumReset) == 0) csum_unverified(skb);
  return error;
}

}  // namespace skep::packet
