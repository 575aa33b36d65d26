// Packets for tests.
#pragma once

#include <initializer_list>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace skep::packet::testing {

using Buffer = std::vector<std::byte>;

// "45 00 0028": blanks are ignored.
inline Buffer hex(std::string_view text) {
  Buffer bytes;
  int high = -1;
  for (const char c : text) {
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) continue;
    if (high >= 0) bytes.push_back(static_cast<std::byte>(high << 4 | digit));
    high = high >= 0 ? -1 : digit;
  }
  return bytes;
}

// Broadcast Ethernet, IPv4 192.168.0.1 > 192.168.0.2, TCP 80 > 81 SYN: 54 bytes.
inline Buffer ipv4_tcp() {
  return hex(
      "ffffffffffff 010203040506 0800"
      "45000028 00010000 4006b97c c0a80001 c0a80002"
      "00500051 00000000 00000000 50020000 00000000");
}
// Ethernet, IPv6 fe80::1 > fe80::2, UDP 53 > 1000, 4 bytes of data: 66 bytes.
inline Buffer ipv6_udp() {
  return hex(
      "020304050607 0a0b0c0d0e0f 86dd"
      "60000000 000c1140 fe800000000000000000000000000001 fe800000000000000000000000000002"
      "003503e8 000c0000 61626364");
}
// The IPv4 packet above behind an 802.1Q tag (VLAN 5, priority 1), as it is on the wire: 58 bytes.
inline Buffer vlan_tcp() {
  Buffer packet = ipv4_tcp();
  const Buffer tag = hex("8100 2005");
  packet.insert(packet.begin() + 12, tag.begin(), tag.end());
  return packet;
}

}  // namespace skep::packet::testing
