// The memory of one packet at a time, reused: what place() allocates once serves millions of packets.
//
// place() copies a packet in and points an XdpBuff or SkBuff at it; the buffer's other fields are the caller's. A frame
// is always larger than any packet a program may make of what was placed (SkBuff: kSkbMaxLen and headroom), so
// that resizing helpers move bytes within it and never allocate. The headroom is cleared: programs see zeros there, as
// in a fresh page. Threads: one at a time. Cost: the copy, and 256 bytes cleared. Tested by: packet/frame_test.cc.
#pragma once

#include <cstddef>
#include <memory>

#include "base/bytes.h"
#include "packet/sk_buff.h"
#include "packet/xdp_buff.h"

namespace skep::packet {

inline constexpr std::size_t kSkbHeadroom = 64;   // NET_SKB_PAD
inline constexpr std::size_t kSkbMaxLen = 16064;  // bytes that resizing helpers let a packet grow to

class Frame {
 public:
  // The first `metadata` (at most kXdpHeadroom) bytes of `packet` go before data, as data_meta. False: no memory.
  bool place(XdpBuff& xdp, Bytes packet, std::size_t metadata = 0) noexcept;
  bool place(SkBuff& skb, Bytes packet) noexcept;

 private:
  bool reserve(std::size_t size) noexcept;

  std::unique_ptr<std::byte[]> bytes_;
  std::size_t size_ = 0;
};

}  // namespace skep::packet
