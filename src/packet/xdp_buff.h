// What an XDP program's context is lowered to: the packet of one frame and where it came from.
//
// A program sees struct xdp_md (spec's context table); its loads are rewritten to fields of this structure, whose
// pointers are real addresses. The frame is one allocation: headroom, data, tailroom (Frame). As in the kernel, only
// the first part of a packet longer than a page is between data and data_end; what a kernel keeps in fragments follows
// it here, up to frags_end, within reach of the byte helpers only. Source: kernel documentation, bpf/redirect and
// networking/af_xdp; struct xdp_md in linux/bpf.h.
#pragma once

#include <cstddef>
#include <cstdint>

namespace skep::packet {

inline constexpr std::size_t kXdpHeadroom = 256;     // XDP_PACKET_HEADROOM
inline constexpr std::size_t kXdpFrameHeader = 40;   // of the headroom, kept free of packet bytes: struct xdp_frame
inline constexpr std::size_t kXdpLinear = 3520;      // most bytes of a packet between data and data_end at the start
inline constexpr std::size_t kXdpFragment = 4096;    // bytes of one fragment
inline constexpr std::size_t kXdpMaxMetadata = 216;  // that a test run accepts
inline constexpr std::size_t kEthernetHeader = 14;

struct XdpBuff {
  std::byte* data = nullptr;
  std::byte* data_end = nullptr;
  std::byte* data_meta = nullptr;        // data when there is none; data + 1 when the driver has no room for it
  std::byte* data_hard_start = nullptr;  // of the frame: nothing may grow below
  std::byte* data_hard_end = nullptr;    // of the room that adjust_tail may grow into
  std::uint32_t ingress_ifindex = 0;
  std::uint32_t rx_queue_index = 0;
  std::uint32_t egress_ifindex = 0;
  std::byte* frags_end = nullptr;  // end of the packet when it is longer than [data, data_end); else null
};

}  // namespace skep::packet
