// What helpers do to an XdpBuff: 0 or a negative errno, exactly the kernel's.
//
// Offsets are signed 32-bit numbers of a program and may be anything. A failing operation changes nothing.
// Source: bpf-helpers(7); limits and errors as tried on Linux 6.18. Tested by: packet/xdp_ops_test.cc,
// helpers/packet_kernel_test.cc.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "packet/xdp_buff.h"

namespace skep::packet {

// Bytes of the whole packet, those in fragments too.
std::uint64_t length(const XdpBuff& xdp) noexcept;

// data += offset. -EINVAL: into the frame's header (or the metadata moved with it), or fewer than 14 bytes left.
int adjust_head(XdpBuff& xdp, std::int32_t offset) noexcept;
// data_meta += offset. -ENOTSUPP: no metadata here; -EINVAL: outside the headroom; -EACCES: not a multiple of 4 bytes.
int adjust_meta(XdpBuff& xdp, std::int32_t offset) noexcept;
// The end of the packet += offset; grown bytes are zero. -EINVAL: no such room, or fewer than 14 bytes left.
int adjust_tail(XdpBuff& xdp, std::int32_t offset) noexcept;

// The bytes [offset, offset + size) of the packet. -EFAULT: offset or size above 0xffff; -EINVAL: behind its end.
int load_bytes(const XdpBuff& xdp, std::uint32_t offset, MutableBytes to) noexcept;
int store_bytes(XdpBuff& xdp, std::uint32_t offset, Bytes from) noexcept;

}  // namespace skep::packet
