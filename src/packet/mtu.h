// bpf_check_mtu: does a packet, or one of another size, fit through a network interface?
//
// `size` in: 0 for the packet itself, else the size of a layer 3 packet to ask about; `difference` is added to either.
// Out: the interface's MTU, also when the answer is no. An interface of 0 is the one the packet came from. Errors
// (-EINVAL: unknown flag, a flag that excludes the other arguments, no known transport header; -ENODEV) leave `size`
// alone. The interface is asked each time: some microseconds. Source: bpf-helpers(7); details as tried on Linux 6.18.
// Tested by: packet/mtu_test.cc, and against the running kernel by helpers/packet_kernel_test.cc.
#pragma once

#include <cstdint>

#include "packet/sk_buff.h"
#include "packet/xdp_buff.h"

namespace skep::packet {

enum MtuAnswer : int { kMtuFits = 0, kMtuFragmentationNeeded = 1, kMtuSegmentsTooBig = 2 };
enum MtuFlag : std::uint64_t { kMtuSegments = 1 };  // ask about the packet's segments; socket buffers only

struct MtuQuestion {
  std::uint32_t ifindex;
  std::int32_t difference;
  std::uint64_t flags;
};

// An MtuAnswer or a negative errno.
int check_mtu(const XdpBuff& xdp, const MtuQuestion& question, std::uint32_t& size) noexcept;
int check_mtu(const SkBuff& skb, const MtuQuestion& question, std::uint32_t& size) noexcept;

}  // namespace skep::packet
