// What a program tells the packet's later handlers: congestion, and when to send it.
#include <cerrno>

#include "packet/csum.h"
#include "packet/sk_ops.h"

namespace skep::packet {

namespace {

constexpr std::uint32_t kTag = 4;  // bytes of a VLAN tag
constexpr std::uint32_t kEthernet = 14;
constexpr int kMostTags = 8;
constexpr std::uint32_t kEcnMask = 3, kNotEct = 0, kCe = 3;
constexpr unsigned kEcnShiftIpv6 = 20;  // within the header's first word
const std::uint16_t kIpv4 = to_be(std::uint16_t{0x0800});
const std::uint16_t kIpv6 = to_be(std::uint16_t{0x86dd});

bool is_vlan(std::uint32_t type) noexcept {
  return type == to_be(std::uint16_t{0x8100}) || type == to_be(std::uint16_t{0x88a8});
}

// The protocol behind the packet's VLAN tags, 0 when the packet ends before it. The tags are looked for behind data,
// where programs that start at the network header have none.
std::uint32_t network_protocol(const SkBuff& skb) noexcept {
  std::uint32_t type = skb.protocol;
  if (!is_vlan(type)) return type;
  if (skb.mac_len != 0 && skb.mac_len < kTag) return 0;
  std::uint32_t at = skb.mac_len != 0 ? skb.mac_len - kTag : kEthernet;
  for (int tags = 0; is_vlan(type); at += kTag, ++tags) {
    if (tags == kMostTags || at + kTag > skb.len) return 0;
    type = load<std::uint16_t>(skb.data + at + 2);
  }
  return type;
}

// `size` bytes at the network header; null when they are not all in the packet.
std::byte* network_header(const SkBuff& skb, std::int32_t size) noexcept {
  const std::ptrdiff_t at = skb.network_offset;
  if (at < skb.head - skb.data || at + size > static_cast<std::ptrdiff_t>(skb.len)) return nullptr;
  return skb.data + at;
}

int mark_ipv4(const SkBuff& skb) noexcept {
  std::byte* const header = network_header(skb, 20);
  if (header == nullptr) return 0;
  const auto ecn = std::to_integer<std::uint32_t>(header[1]) & kEcnMask;
  if (ecn == kNotEct) return 0;
  // The data grows by the difference, so the checksum shrinks by it, in ones' complement.
  const std::uint32_t sum = from_be(load<std::uint16_t>(header + 10)) + (0xffff - (kCe - ecn));
  if (ecn != kCe) store(header + 10, to_be(static_cast<std::uint16_t>(sum + (sum >> 16))));
  header[1] |= std::byte{kCe};
  return 1;
}

int mark_ipv6(SkBuff& skb) noexcept {
  std::byte* const header = network_header(skb, 40);
  if (header == nullptr) return 0;
  const auto before = load<std::uint32_t>(header);
  if (((from_be(before) >> kEcnShiftIpv6) & kEcnMask) == kNotEct) return 0;
  const std::uint32_t after = before | to_be(kCe << kEcnShiftIpv6);
  store(header, after);
  if (skb.ip_summed == kChecksumComplete) skb.csum = csum_add(csum_sub(skb.csum, before), after);
  return 1;
}

}  // namespace

int ecn_set_ce(SkBuff& skb) noexcept {
  const std::uint32_t protocol = network_protocol(skb);
  if (protocol == kIpv4) return mark_ipv4(skb);
  return protocol == kIpv6 ? mark_ipv6(skb) : 0;
}

int set_tstamp(SkBuff& skb, std::uint64_t tstamp, std::uint32_t type) noexcept {
  if (skb.protocol != kIpv4 && skb.protocol != kIpv6) return -EOPNOTSUPP;
  switch (static_cast<TstampType>(type)) {
    case TstampType::Realtime: break;
    case TstampType::Monotonic:
    case TstampType::Tai:
      if (tstamp == 0) return -EINVAL;
      break;
    default: return -EINVAL;
  }
  skb.tstamp = tstamp;
  skb.tstamp_type = static_cast<std::uint8_t>(type);
  return 0;
}

}  // namespace skep::packet
