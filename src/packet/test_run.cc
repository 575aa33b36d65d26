#include "packet/test_run.h"

#include <algorithm>
#include <cerrno>

#include "packet/csum.h"
#include "packet/device.h"
#include "packet/sk_ops.h"
#include "packet/xdp_ops.h"

namespace skep::packet {

namespace {

constexpr std::uint32_t kGsoMaxSegments = 65535;
constexpr std::uint32_t kGsoMaxSize = 65536;
constexpr std::int32_t kMacLen = kEthernetHeader;

enum PacketType : std::uint32_t { kHost = 0, kBroadcast = 1, kMulticast = 2, kOtherHost = 3 };

bool starts_at_mac(spec::ProgType type) noexcept {
  return type == spec::ProgType::SchedCls || type == spec::ProgType::SchedAct;
}

// ---- the link-layer header, as a driver's receive path reads it
std::uint32_t packet_type(Bytes packet, const Device& device) noexcept {
  MacAddress to{};
  std::ranges::copy(packet.first(to.size()), to.begin());
  if (to == device.address) return kHost;
  if ((to[0] & std::byte{1}) == std::byte{0}) return kOtherHost;
  return to == device.broadcast ? kBroadcast : kMulticast;
}

std::uint16_t ether_type(Bytes packet) noexcept {
  const auto type = load<std::uint16_t>(packet.data() + 12);
  if (from_be(type) >= 0x600) return type;
  const bool raw_802_3 = packet.size() >= 16 && load<std::uint16_t>(packet.data() + 14) == 0xffff;
  return to_be(static_cast<std::uint16_t>(raw_802_3 ? 1 : 4));  // ETH_P_802_3, ETH_P_802_2
}

// Bytes that a packet of this protocol has at least behind its link-layer header.
std::size_t ip_header(std::uint32_t protocol) noexcept {
  if (protocol == to_be(std::uint16_t{0x0800})) return 20;
  return protocol == to_be(std::uint16_t{0x86dd}) ? 40 : 0;
}

// A test run gives the packet a socket whose ends are those of its IP header.
void add_socket(SkBuff& skb) noexcept {
  constexpr std::uint32_t kInet = 2;
  constexpr std::uint32_t kInet6 = 10;
  const std::byte* header = skb.data + skb.network_offset;
  if (ip_header(skb.protocol) == 20) {
    skb.family = kInet;
    skb.local_ip4 = load<std::uint32_t>(header + 12);
    skb.remote_ip4 = load<std::uint32_t>(header + 16);
  } else if (ip_header(skb.protocol) == 40) {
    skb.family = kInet6;
    skb.local_ip6 = load<std::array<std::uint32_t, 4>>(header + 8);
    skb.remote_ip6 = load<std::array<std::uint32_t, 4>>(header + 24);
  }
}

int set_up(SkBuff& skb, Frame& frame, Bytes packet, spec::ProgType type, std::uint32_t ifindex) noexcept {
  if (packet.size() < kTestRunMin) return -EINVAL;
  const std::optional<Device> from = device(ifindex);
  if (!from) return -ENODEV;
  skb = SkBuff{};
  if (!frame.place(skb, packet)) return -ENOMEM;
  skb.ifindex = ifindex;
  skb.pkt_type = packet_type(packet, *from);
  skb.protocol = ether_type(packet);
  if (starts_at_mac(type)) {
    skb.network_offset = kMacLen;
  } else {
    skb.data = skb.data_meta = skb.data + kMacLen;
    skb.len -= static_cast<std::uint32_t>(kMacLen);
    skb.mac_offset = -kMacLen;
  }
  return 0;
}

// ---- __sk_buff
// The fields a caller may set, as ranges of bytes; all others must be zero.
#define FIELD(name) offsetof(spec::SkBuffMd, name), offsetof(spec::SkBuffMd, name) + sizeof(spec::SkBuffMd::name)
struct Range {
  std::size_t from, to;
};
constexpr Range kSettable[] = {
    {FIELD(mark)},   {FIELD(priority)}, {FIELD(ingress_ifindex)}, {FIELD(ifindex)},  {FIELD(cb)},
    {FIELD(tstamp)}, {FIELD(wire_len)}, {FIELD(gso_segs)},        {FIELD(gso_size)}, {FIELD(hwtstamp)},
};
#undef FIELD

bool only_settable(const spec::SkBuffMd& context) noexcept {
  const Bytes bytes = bytes_of(context);
  std::size_t at = 0;
  const auto is_zero = [](std::byte b) { return b == std::byte{0}; };
  for (const Range& field : kSettable) {
    if (!std::ranges::all_of(bytes.subspan(at, field.from - at), is_zero)) return false;
    at = field.to;
  }
  return std::ranges::all_of(bytes.subspan(at), is_zero);
}

int take_context(SkBuff& skb, const spec::SkBuffMd& context) noexcept {
  if (!only_settable(context)) return -EINVAL;
  if (context.wire_len != 0 && (context.wire_len < skb.len || context.wire_len > kGsoMaxSize)) return -EINVAL;
  if (context.gso_segs > kGsoMaxSegments) return -EINVAL;
  skb.mark = context.mark;
  skb.priority = context.priority;
  skb.ingress_ifindex = context.ingress_ifindex;
  skb.tstamp = context.tstamp;
  std::ranges::copy(context.cb, skb.cb.begin());
  skb.wire_len = context.wire_len != 0 ? context.wire_len : skb.len;
  skb.gso_segs = context.gso_segs;
  skb.gso_size = static_cast<std::uint16_t>(context.gso_size);
  skb.hwtstamp = context.hwtstamp;
  return 0;
}

void give_context(const SkBuff& skb, spec::SkBuffMd& context) noexcept {
  context.mark = skb.mark;
  context.priority = skb.priority;
  context.ingress_ifindex = skb.ingress_ifindex;
  context.ifindex = skb.ifindex;
  context.tstamp = skb.tstamp;
  std::ranges::copy(skb.cb, context.cb);
  context.wire_len = skb.wire_len;
  context.gso_segs = skb.gso_segs;
  context.hwtstamp = skb.hwtstamp;
}

// The sum from the network header to the end.
std::uint32_t network_sum(const SkBuff& skb) noexcept {
  const auto from = static_cast<std::size_t>(std::clamp<std::int64_t>(skb.network_offset, 0, skb.len));
  return csum_partial({skb.data + from, skb.len - from}, 0);
}

// ---- xdp_md
int check(const spec::XdpMd& context, std::size_t size) noexcept {
  if (context.data_meta != 0 || context.data_end != size || context.data > context.data_end) return -EINVAL;
  if (context.data % 4 != 0 || context.data > kXdpMaxMetadata) return -EINVAL;
  if (context.data_end - context.data < kTestRunMin) return -EINVAL;
  if (context.egress_ifindex != 0 || (context.ingress_ifindex == 0 && context.rx_queue_index != 0)) return -EINVAL;
  if (context.ingress_ifindex == 0) return 0;
  if (!device(context.ingress_ifindex)) return -ENODEV;
  return has_rx_queue(context.ingress_ifindex, context.rx_queue_index) ? 0 : -EINVAL;
}

}  // namespace

int begin(XdpBuff& xdp, Frame& frame, Bytes packet, const spec::XdpMd* context) noexcept {
  if (packet.size() < kTestRunMin) return -EINVAL;
  if (context)
    if (const int error = check(*context, packet.size())) return error;
  xdp = XdpBuff{};
  if (!frame.place(xdp, packet, context ? context->data : 0)) return -ENOMEM;
  xdp.ingress_ifindex = context && context->ingress_ifindex != 0 ? context->ingress_ifindex : kLoopback;
  xdp.rx_queue_index = context ? context->rx_queue_index : 0;
  return 0;
}

Bytes finish(const XdpBuff& xdp, spec::XdpMd* context) noexcept {
  const std::byte* const start = xdp.data_meta <= xdp.data ? xdp.data_meta : xdp.data;
  if (context) {
    context->data = static_cast<std::uint32_t>(xdp.data - start);
    context->data_end = static_cast<std::uint32_t>(xdp.data_end - start);
  }
  return {start, xdp.frags_end ? xdp.frags_end : xdp.data_end};
}

int prepare(SkBuff& skb, Frame& frame, Bytes packet, spec::ProgType type) noexcept {
  return set_up(skb, frame, packet, type, kLoopback);
}

int begin(SkBuff& skb, Frame& frame, Bytes packet, const spec::SkBuffMd* context, spec::ProgType type,
          std::uint32_t flags) noexcept {
  if (packet.size() > kTestRunMaxSkb) return -EINVAL;
  const std::uint32_t ifindex = context && context->ifindex > kLoopback ? context->ifindex : kLoopback;
  if (const int error = set_up(skb, frame, packet, type, ifindex)) return error;
  if (packet.size() - kTestRunMin < ip_header(skb.protocol)) return -EINVAL;
  add_socket(skb);
  if (context)
    if (const int error = take_context(skb, *context)) return error;
  if ((flags & kSkbChecksumComplete) != 0) {
    skb.csum = network_sum(skb);
    skb.ip_summed = kChecksumComplete;
  }
  return 0;
}

int finish(SkBuff& skb, spec::SkBuffMd* context, spec::ProgType type, std::uint32_t flags, Bytes& packet) noexcept {
  if (!starts_at_mac(type)) {
    if (!make_headroom(skb, kEthernetHeader)) return -ENOMEM;
    skb.data = skb.data_meta = skb.data - kEthernetHeader;
    skb.len += static_cast<std::uint32_t>(kEthernetHeader);
    skb.network_offset += kMacLen;
    std::memset(skb.data, 0, kEthernetHeader);
  }
  const bool checked = (flags & kSkbChecksumComplete) != 0;  // also when the program made it mean nothing
  if (checked && csum_fold(skb.csum) != csum_fold(network_sum(skb))) return -EBADMSG;
  if (context) give_context(skb, *context);
  packet = {skb.data, skb.len};
  return 0;
}

}  // namespace skep::packet
