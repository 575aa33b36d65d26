#include <algorithm>
#include <cerrno>

#include "base/errno.h"
#include "packet/frame.h"
#include "packet/sk_ops.h"

namespace skep::packet {

namespace {

constexpr std::uint32_t kOtherHost = 3;  // PACKET_OTHERHOST, the last type a program may set
constexpr std::uint32_t kIpv4HeaderSize = 20;
constexpr std::uint32_t kIpv6HeaderSize = 40;
const std::uint16_t kIpv4 = to_be(std::uint16_t{0x0800});
const std::uint16_t kIpv6 = to_be(std::uint16_t{0x86dd});

// The bytes of headroom in use: a link-layer header in front of data.
std::ptrdiff_t in_front(const SkBuff& skb) noexcept { return std::max(0, -skb.mac_offset); }

// Moves the packet, and its link-layer header in front of it, by `distance` bytes.
void slide(SkBuff& skb, std::ptrdiff_t distance) noexcept {
  const std::ptrdiff_t front = std::min(in_front(skb), skb.data - skb.head);
  std::byte* const from = skb.data - front;
  std::memmove(from + distance, from, static_cast<std::size_t>(skb.data_end - from));
  skb.data += distance;
  skb.data_end += distance;
  skb.data_meta = skb.data;
}

void set_start(SkBuff& skb, std::byte* data) noexcept {
  skb.data = skb.data_meta = data;
  skb.len = static_cast<std::uint32_t>(skb.data_end - data);
}

// What change_tail may not cut: everything before the innermost header known.
std::int64_t least_length(const SkBuff& skb) noexcept {
  std::int64_t least = std::max(0, skb.network_offset);
  if (skb.transport_set && skb.transport_offset > 0) least = skb.transport_offset;
  return least;
}

void cut_tail(SkBuff& skb, std::uint32_t size) noexcept {
  if (skb.ip_summed == kChecksumComplete) skb.ip_summed = kChecksumNone;
  skb.data_end = skb.data + size;
  skb.len = size;
}

int grow_tail(SkBuff& skb, std::uint32_t size) noexcept {
  const std::uint32_t more = size - skb.len;
  if (!make_tailroom(skb, more)) return -ENOMEM;
  if (skb.ip_summed == kChecksumComplete) skb.ip_summed = kChecksumNone;
  std::memset(skb.data_end, 0, more);
  skb.data_end += more;
  skb.len = size;
  return 0;
}

}  // namespace

bool make_headroom(SkBuff& skb, std::size_t room) noexcept {
  const std::ptrdiff_t have = skb.data - skb.head;
  const std::ptrdiff_t tail = skb.end - skb.data_end;
  const auto want = static_cast<std::ptrdiff_t>(std::min<std::size_t>(room, 1U << 30));
  if (have >= want) return true;
  if (have + tail < want) return false;
  slide(skb, want - have + (have + tail - want) / 2);
  return true;
}

bool make_tailroom(SkBuff& skb, std::size_t room) noexcept {
  const std::ptrdiff_t spare = skb.data - skb.head - in_front(skb);
  const std::ptrdiff_t tail = skb.end - skb.data_end;
  const auto want = static_cast<std::ptrdiff_t>(std::min<std::size_t>(room, 1U << 30));
  if (tail >= want) return true;
  if (spare + tail < want) return false;
  slide(skb, -(want - tail + (spare + tail - want) / 2));
  return true;
}

bool make_gap_room(SkBuff& skb, std::uint32_t at, std::uint32_t size) noexcept {
  const std::uint32_t behind = at > skb.len ? at - skb.len : 0;  // a header that the packet is too short for
  return make_tailroom(skb, behind) && make_headroom(skb, size + static_cast<std::size_t>(in_front(skb))) &&
         skb.end - skb.data_end >= behind;
}

void open_gap(SkBuff& skb, std::uint32_t at, std::uint32_t size) noexcept {
  set_start(skb, skb.data - size);
  std::memmove(skb.data, skb.data + size, at);
  std::memset(skb.data + at, 0, size);
}

int close_gap(SkBuff& skb, std::uint32_t at, std::uint32_t size) noexcept {
  if (std::uint64_t{at} + size > skb.len) return -ENOMEM;
  csum_without(skb, {skb.data + at, size}, 0);
  std::byte* const old = skb.data;
  set_start(skb, old + size);
  std::memmove(skb.data, old, at);
  return 0;
}

int change_head(SkBuff& skb, std::uint32_t room, std::uint64_t flags) noexcept {
  const std::uint32_t size = skb.len + room;
  if (flags != 0 || room > 0x7fffffff || (skb.gso_size == 0 && size > kSkbMaxLen) || size < skb.len) return -EINVAL;
  if (!make_headroom(skb, room)) return -ENOMEM;
  set_start(skb, skb.data - room);
  std::memset(skb.data, 0, room);
  skb.network_offset += static_cast<std::int32_t>(room);
  skb.transport_offset += static_cast<std::int32_t>(room);
  skb.mac_offset = 0;
  skb.mac_len = static_cast<std::uint32_t>(skb.network_offset);
  return 0;
}

int change_tail(SkBuff& skb, std::uint32_t size, std::uint64_t flags) noexcept {
  if (flags != 0 || size > kSkbMaxLen || size < least_length(skb)) return -EINVAL;
  if (skb.encapsulated) return -kNotSupported;
  if (size > skb.len) {
    if (const int error = grow_tail(skb, size)) return error;
  } else if (size < skb.len) {
    cut_tail(skb, size);
  }
  if (skb.gso_size != 0) skb.gso_size = skb.gso_segs = skb.gso_type = 0;
  return 0;
}

int change_proto(SkBuff& skb, std::uint16_t protocol, std::uint64_t flags) noexcept {
  constexpr std::uint32_t difference = kIpv6HeaderSize - kIpv4HeaderSize;
  if (flags != 0) return -EINVAL;
  const auto header = static_cast<std::uint32_t>(skb.network_offset - skb.mac_offset);
  const bool same = skb.transport_offset == skb.network_offset;
  if (skb.protocol == kIpv4 && protocol == kIpv6) {
    if (!make_gap_room(skb, header, difference)) return -ENOMEM;
    open_gap(skb, header, difference);
    if (!same) skb.transport_offset += static_cast<std::int32_t>(difference);
  } else if (skb.protocol == kIpv6 && protocol == kIpv4) {
    if (const int error = close_gap(skb, header, difference)) return error;
    if (!same) skb.transport_offset -= static_cast<std::int32_t>(difference);
  } else {
    return -kNotSupported;
  }
  skb.protocol = protocol;
  clear_hash(skb);
  return 0;
}

int change_type(SkBuff& skb, std::uint32_t type) noexcept {
  if (skb.pkt_type > kOtherHost || type > kOtherHost) return -EINVAL;
  skb.pkt_type = type;
  return 0;
}

}  // namespace skep::packet
