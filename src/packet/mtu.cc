#include "packet/mtu.h"

#include <cerrno>
#include <optional>

#include "packet/device.h"

namespace skep::packet {

namespace {

// Bytes on the wire that the question is about. A program's numbers wrap as the kernel's int does.
std::int32_t asked(std::uint32_t length, const MtuQuestion& question, std::uint32_t size, const Link& link) noexcept {
  const std::uint32_t bytes = size != 0 ? size + link.header : length;
  return static_cast<std::int32_t>(bytes + static_cast<std::uint32_t>(question.difference));
}

bool fits(std::int32_t bytes, const Link& link) noexcept {
  return bytes <= static_cast<std::int32_t>(link.mtu + link.header);
}

// Whether each segment of a segmented packet fits, headers from the network header on.
int ask_segments(const SkBuff& skb, const Link& link) noexcept {
  if (!skb.transport_set) return -EINVAL;
  const std::int64_t headers = skb.transport_offset - skb.network_offset;
  return headers + skb.gso_size <= link.mtu ? kMtuFits : kMtuSegmentsTooBig;
}

}  // namespace

int check_mtu(const XdpBuff& xdp, const MtuQuestion& question, std::uint32_t& size) noexcept {
  if (question.flags != 0) return -EINVAL;
  const std::optional<Link> to = link(question.ifindex != 0 ? question.ifindex : xdp.ingress_ifindex);
  if (!to) return -ENODEV;
  const bool fit = fits(asked(static_cast<std::uint32_t>(xdp.data_end - xdp.data), question, size, *to), *to);
  size = to->mtu;
  return fit ? kMtuFits : kMtuFragmentationNeeded;
}

int check_mtu(const SkBuff& skb, const MtuQuestion& question, std::uint32_t& size) noexcept {
  if ((question.flags & ~std::uint64_t{kMtuSegments}) != 0) return -EINVAL;
  const bool segments = (question.flags & kMtuSegments) != 0;
  if (segments && (question.difference != 0 || size != 0)) return -EINVAL;
  const std::optional<Link> to = link(question.ifindex != 0 ? question.ifindex : skb.ifindex);
  if (!to) return -ENODEV;
  int answer = fits(asked(skb.len, question, size, *to), *to) ? kMtuFits : kMtuFragmentationNeeded;
  if (answer != kMtuFits && skb.gso_size != 0) answer = segments ? ask_segments(skb, *to) : kMtuFits;
  if (answer >= 0) size = to->mtu;
  return answer;
}

}  // namespace skep::packet
