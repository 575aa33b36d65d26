// BPF_PROG_TEST_RUN's two ends: from the caller's packet and context to what a program sees, and back.
//
// begin() places the packet in a frame and sets up the buffer as the kernel does, `context` (ctx_in, null when neither
// ctx_in nor ctx_out is given; zeros when only ctx_out is) checked field by field. finish() writes the context back and
// says what packet comes out. With repeat the program runs again on the buffer as it left it; between runs nothing is
// done. sched_cls and sched_act programs start at the link-layer header. All other programs on SkBuff start at the
// network header, 14 bytes in, and get those bytes back as zeros. The XDP context describes the frame: `data` bytes of
// metadata at the start of the packet, data_end its size.
// Source: kernel documentation bpf/bpf_prog_run; rules as tried on Linux 6.18. Tested by: packet/test_run_test.cc.
#pragma once

#include <cstdint>

#include "packet/frame.h"
#include "spec/types.h"
#include "spec/uapi.h"

namespace skep::packet {

inline constexpr std::size_t kTestRunMin = kEthernetHeader;     // bytes of a packet that a test run takes at least
inline constexpr std::size_t kTestRunMaxSkb = 3712;             // and, for programs on SkBuff, at most
inline constexpr std::uint32_t kSkbChecksumComplete = 1U << 2;  // flags: BPF_F_TEST_SKB_CHECKSUM_COMPLETE

// 0, -EINVAL (packet too short, for its IP header too, or too long; a context that is not allowed), -ENODEV (no such
// interface), -ENOMEM.
int begin(XdpBuff& xdp, Frame& frame, Bytes packet, const spec::XdpMd* context) noexcept;
int begin(SkBuff& skb, Frame& frame, Bytes packet, const spec::SkBuffMd* context, spec::ProgType type,
          std::uint32_t flags = 0) noexcept;

// What begin() does apart from the limits of size: for packets from the outside world.
int prepare(SkBuff& skb, Frame& frame, Bytes packet, spec::ProgType type) noexcept;

// The packet as it is afterwards, metadata first. `context` may be null.
Bytes finish(const XdpBuff& xdp, spec::XdpMd* context) noexcept;
// 0 and the packet in `packet`; -EBADMSG: flags has kSkbChecksumComplete and the program left a wrong checksum;
// -ENOMEM.
int finish(SkBuff& skb, spec::SkBuffMd* context, spec::ProgType type, std::uint32_t flags, Bytes& packet) noexcept;

}  // namespace skep::packet
