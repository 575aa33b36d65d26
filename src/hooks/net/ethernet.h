// An Ethernet header for packets that come without one.
//
// Raw IP packets are given one, because every program type here starts at the link layer: addresses of zeros, as the
// loopback interface has them, and the type of the IP version (0 for what is neither). Captures that are
// written have it too.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"

namespace skep::hooks::net {

inline constexpr std::size_t kEthernetBytes = 14;
inline constexpr std::uint16_t kTypeIpv4 = 0x0800, kTypeIpv6 = 0x86dd;

inline std::array<std::byte, kEthernetBytes> ethernet_for(Bytes ip) noexcept {
  std::array<std::byte, kEthernetBytes> header{};
  const unsigned version = ip.empty() ? 0 : std::to_integer<unsigned>(ip[0]) >> 4;
  const std::uint16_t type = version == 4 ? kTypeIpv4 : version == 6 ? kTypeIpv6 : std::uint16_t{0};
  store(header.data() + 12, to_be(type));
  return header;
}

}  // namespace skep::hooks::net
