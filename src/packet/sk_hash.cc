#include <algorithm>
#include <optional>

#include "packet/sk_ops.h"

namespace skep::packet {

namespace {

struct Flow {
  std::array<std::byte, 16> source{}, destination{};
  std::uint16_t source_port = 0, destination_port = 0;
  std::uint8_t protocol = 0;
};

bool is_vlan(std::uint16_t type) noexcept { return type == 0x8100 || type == 0x88a8; }

bool has_ports(std::uint8_t protocol) noexcept {
  constexpr std::array<std::uint8_t, 5> kinds{6, 17, 33, 132, 136};  // TCP, UDP, DCCP, SCTP, UDP-Lite
  return std::ranges::find(kinds, protocol) != kinds.end();
}

void take_ports(Flow& flow, Bytes transport) noexcept {
  if (!has_ports(flow.protocol) || transport.size() < 4) return;
  flow.source_port = load<std::uint16_t>(transport.data());
  flow.destination_port = load<std::uint16_t>(transport.data() + 2);
}

std::optional<Flow> ipv4_flow(Bytes packet) noexcept {
  if (packet.size() < 20) return std::nullopt;
  Flow flow;
  const std::size_t header = (std::to_integer<std::size_t>(packet[0]) & 15) * 4;
  flow.protocol = std::to_integer<std::uint8_t>(packet[9]);
  std::ranges::copy(packet.subspan(12, 4), flow.source.begin());
  std::ranges::copy(packet.subspan(16, 4), flow.destination.begin());
  const bool fragment = (from_be(load<std::uint16_t>(packet.data() + 6)) & 0x3fff) != 0;
  if (!fragment && header >= 20 && header < packet.size()) take_ports(flow, packet.subspan(header));
  return flow;
}

std::optional<Flow> ipv6_flow(Bytes packet) noexcept {
  if (packet.size() < 40) return std::nullopt;
  Flow flow;
  flow.protocol = std::to_integer<std::uint8_t>(packet[6]);
  std::ranges::copy(packet.subspan(8, 16), flow.source.begin());
  std::ranges::copy(packet.subspan(24, 16), flow.destination.begin());
  take_ports(flow, packet.subspan(40));
  return flow;
}

std::optional<Flow> flow_of(const SkBuff& skb) noexcept {
  if (skb.network_offset < 0 || static_cast<std::uint32_t>(skb.network_offset) > skb.len) return std::nullopt;
  Bytes packet = Bytes(skb.data, skb.len).subspan(static_cast<std::size_t>(skb.network_offset));
  std::uint16_t type = from_be(static_cast<std::uint16_t>(skb.protocol));
  while (is_vlan(type) && packet.size() >= 4) {
    type = from_be(load<std::uint16_t>(packet.data() + 2));
    packet = packet.subspan(4);
  }
  if (type == 0x0800) return ipv4_flow(packet);
  if (type == 0x86dd) return ipv6_flow(packet);
  return std::nullopt;
}

// Both directions of a conversation count as one flow.
void order(Flow& flow) noexcept {
  const bool swap = std::ranges::lexicographical_compare(flow.destination, flow.source);
  const bool same = flow.destination == flow.source;
  if (!swap && !(same && flow.destination_port < flow.source_port)) return;
  std::swap(flow.source, flow.destination);
  std::swap(flow.source_port, flow.destination_port);
}

std::uint64_t mix(std::uint64_t state, std::uint64_t word) noexcept {
  state = (state ^ word) * 0x9e3779b97f4a7c15U;
  return state ^ (state >> 29);
}

std::uint32_t value(const Flow& flow) noexcept {
  std::uint64_t state = flow.protocol;
  for (std::size_t at = 0; at < 16; at += 8) {
    state = mix(state, load<std::uint64_t>(flow.source.data() + at));
    state = mix(state, load<std::uint64_t>(flow.destination.data() + at));
  }
  state = mix(state, std::uint64_t{flow.source_port} << 16 | flow.destination_port);
  const auto hash = static_cast<std::uint32_t>(state >> 32);
  return hash != 0 ? hash : 1;
}

}  // namespace

void set_hash(SkBuff& skb, std::uint32_t hash) noexcept {
  skb.hash = hash;
  skb.hash_set = true;
}

void clear_hash(SkBuff& skb) noexcept {
  skb.hash = 0;
  skb.hash_set = false;
}

std::uint32_t hash_recalc(SkBuff& skb) noexcept {
  if (skb.hash_set) return skb.hash;
  std::optional<Flow> flow = flow_of(skb);
  if (flow) order(*flow);
  set_hash(skb, flow ? value(*flow) : 0);
  return skb.hash;
}

}  // namespace skep::packet
