// What an XDP program's context is lowered to: the packet of one frame and where it came from.
//
// A program sees struct xdp_md (spec's context table); its loads are rewritten to fields of this structure, whose
// pointers are real addresses. The frame is linear: headroom, data, tailroom in one allocation (Frame).
// Source: kernel documentation, bpf/redirect and networking/af_xdp; struct xdp_md in linux/bpf.h.
#pragma once

#include <cstddef>
#include <cstdint>

namespace skep::packet {

inline constexpr std::size_t kXdpHeadroom = 256;  // XDP_PACKET_HEADROOM

struct XdpBuff {
  std::byte* data = nullptr;
  std::byte* data_end = nullptr;
  std::byte* data_meta = nullptr;        // data when there is none; data + 1 when the driver has no room for it
  std::byte* data_hard_start = nullptr;  // of the frame: nothing may grow below
  std::byte* data_hard_end = nullptr;    // of the room that adjust_tail may grow into
  std::uint32_t ingress_ifindex = 0;
  std::uint32_t rx_queue_index = 0;
  std::uint32_t egress_ifindex = 0;
};

}  // namespace skep::packet
