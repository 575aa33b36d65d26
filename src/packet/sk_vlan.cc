#include <cerrno>

#include "packet/sk_ops.h"

namespace skep::packet {

namespace {

constexpr std::uint32_t kTag = 4;         // bytes of a VLAN tag
constexpr std::uint32_t kAddresses = 12;  // of the link-layer header, in front of a tag
constexpr std::uint32_t kEthernet = 14;
const std::uint16_t k8021q = to_be(std::uint16_t{0x8100});
const std::uint16_t k8021ad = to_be(std::uint16_t{0x88a8});

bool is_vlan(std::uint32_t protocol) noexcept { return protocol == k8021q || protocol == k8021ad; }

void set_tag(SkBuff& skb, std::uint16_t protocol, std::uint16_t tci) noexcept {
  skb.vlan_present = 1;
  skb.vlan_proto = protocol;
  skb.vlan_tci = tci;
}

// The tag of the metadata becomes the first of the packet.
int insert_tag(SkBuff& skb) noexcept {
  if (!make_gap_room(skb, kAddresses, kTag)) return -ENOMEM;
  open_gap(skb, kAddresses, kTag);
  const auto protocol = static_cast<std::uint16_t>(skb.vlan_proto);
  store(skb.data + kAddresses, protocol);
  store(skb.data + kAddresses + 2, to_be(static_cast<std::uint16_t>(skb.vlan_tci)));
  skb.protocol = protocol;
  csum_with(skb, {skb.data + kAddresses, kTag}, 0);
  return 0;
}

// What a link-layer type field below 0x600 (a length) stands for.
std::uint16_t protocol_behind(const SkBuff& skb) noexcept {
  const auto type = load<std::uint16_t>(skb.data + kAddresses);
  if (from_be(type) >= 0x600) return type;
  const bool raw_802_3 = skb.len >= kEthernet + 2 && load<std::uint16_t>(skb.data + kEthernet) == 0xffff;
  return to_be(static_cast<std::uint16_t>(raw_802_3 ? 1 : 4));
}

// Takes the first tag out of the packet: its TCI, or a negative errno.
int remove_tag(SkBuff& skb) noexcept {
  if (skb.mac_offset != 0) return -EINVAL;
  if (skb.len < kEthernet + kTag) return -ENOMEM;
  const std::uint16_t tci = from_be(load<std::uint16_t>(skb.data + kEthernet));
  close_gap(skb, kAddresses, kTag);
  skb.network_offset -= static_cast<std::int32_t>(kTag);
  skb.transport_offset -= static_cast<std::int32_t>(kTag);
  if (skb.network_offset < static_cast<std::int32_t>(kEthernet)) skb.network_offset = kEthernet;
  skb.mac_len = static_cast<std::uint32_t>(skb.network_offset);
  skb.protocol = protocol_behind(skb);
  return tci;
}

}  // namespace

int vlan_push(SkBuff& skb, std::uint16_t protocol, std::uint16_t tci) noexcept {
  if (!is_vlan(protocol)) protocol = k8021q;
  if (skb.vlan_present != 0) {
    if (skb.mac_offset != 0) return -EINVAL;
    if (const int error = insert_tag(skb)) return error;
    skb.transport_offset += static_cast<std::int32_t>(kTag);
  }
  set_tag(skb, protocol, tci);
  skb.mac_len = static_cast<std::uint32_t>(skb.network_offset - skb.mac_offset);
  return 0;
}

int vlan_pop(SkBuff& skb) noexcept {
  if (skb.vlan_present != 0) {
    skb.vlan_present = skb.vlan_tci = skb.vlan_proto = 0;
  } else if (!is_vlan(skb.protocol)) {
    return 0;
  } else if (const int tci = remove_tag(skb); tci < 0) {
    return tci;
  }
  if (!is_vlan(skb.protocol)) return 0;
  const auto protocol = static_cast<std::uint16_t>(skb.protocol);
  const int tci = remove_tag(skb);  // the next one moves to the metadata
  if (tci < 0) return tci;
  set_tag(skb, protocol, static_cast<std::uint16_t>(tci));
  return 0;
}

}  // namespace skep::packet
