#include "packet/frame.h"

#include <algorithm>
#include <new>

namespace skep::packet {

namespace {

std::byte* put(std::byte* at, Bytes bytes) noexcept {
  if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
  return at + bytes.size();
}

// Room behind a packet of SkBuff: what helpers may add to a full one, and space to move it.
constexpr std::size_t kSkbSlack = 4096;

}  // namespace

bool Frame::reserve(std::size_t size) noexcept {
  if (size <= size_) return true;
  std::byte* fresh = new (std::nothrow) std::byte[size]();
  if (fresh == nullptr) return false;
  bytes_.reset(fresh);
  size_ = size;
  return true;
}

bool Frame::place(XdpBuff& xdp, Bytes packet, std::size_t metadata) noexcept {
  metadata = std::min({metadata, kXdpHeadroom, packet.size()});
  const std::size_t payload = packet.size() - metadata;
  const std::size_t linear = std::min(payload, kXdpLinear);
  const std::size_t frags = round_up(payload - linear, kXdpFragment);
  if (!reserve(kXdpHeadroom + kXdpLinear + frags)) return false;
  std::byte* const start = bytes_.get();
  std::memset(start, 0, kXdpHeadroom - metadata);
  std::byte* const packet_end = put(start + kXdpHeadroom - metadata, packet);
  xdp.data_hard_start = start;
  xdp.data_hard_end = start + kXdpHeadroom + kXdpLinear;
  xdp.data = start + kXdpHeadroom;
  xdp.data_meta = xdp.data - metadata;
  xdp.data_end = xdp.data + linear;
  xdp.frags_end = payload > linear ? packet_end : nullptr;
  return true;
}

bool Frame::place(SkBuff& skb, Bytes packet) noexcept {
  const std::size_t size = kSkbHeadroom + std::max(packet.size(), kSkbMaxLen) + kSkbSlack;
  if (!reserve(size)) return false;
  skb.head = bytes_.get();
  skb.end = skb.head + size_;
  std::memset(skb.head, 0, kSkbHeadroom);
  skb.data = skb.data_meta = skb.head + kSkbHeadroom;
  skb.data_end = put(skb.data, packet);
  skb.len = static_cast<std::uint32_t>(packet.size());
  return true;
}

}  // namespace skep::packet
