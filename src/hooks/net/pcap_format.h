// Classic pcap as bytes: one table of its forms. Source: draft-ietf-opsawg-pcap.
#pragma once

#include <bit>
#include <cstdint>

namespace skep::hooks::net::pcap {

struct FileHeader {
  std::uint32_t magic;
  std::uint16_t major, minor;
  std::uint32_t zone, accuracy;
  std::uint32_t snap_bytes;
  std::uint32_t link;  // the low 28 bits; above it says how long the frame check sequence is
};
static_assert(sizeof(FileHeader) == 24);

struct RecordHeader {
  std::uint32_t seconds, fraction;
  std::uint32_t captured_bytes, wire_bytes;
};
static_assert(sizeof(RecordHeader) == 16);

struct Form {
  std::uint32_t magic;
  std::uint32_t unit_ns;  // of RecordHeader::fraction
  bool swapped;           // of the other byte order
};
inline constexpr std::uint32_t kMicroseconds = 0xa1b2c3d4, kNanoseconds = 0xa1b23c4d;
inline constexpr Form kForms[] = {
    {kMicroseconds, 1000, false},
    {kNanoseconds, 1, false},
    {std::byteswap(kMicroseconds), 1000, true},
    {std::byteswap(kNanoseconds), 1, true},
};

inline constexpr std::uint32_t kMaxPacket = 256 * 1024;
inline constexpr std::uint32_t kLinkEthernet = 1, kLinkRaw = 101, kLinkIpv4 = 228, kLinkIpv6 = 229;
inline constexpr std::uint32_t kLinkMask = 0x0fffffff;

}  // namespace skep::hooks::net::pcap
