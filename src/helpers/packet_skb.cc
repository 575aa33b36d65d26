// Packets of programs on socket buffers.
#include "helpers/subjects.h"
#include "packet/sk_ops.h"

namespace skep::helpers {

namespace {

using packet::SkBuff;

int skb_load_bytes(Call&, SkBuff& skb, std::uint32_t offset, MutableBytes to) noexcept {
  return packet::load_bytes(skb, offset, to);
}
int skb_load_bytes_relative(Call&, SkBuff& skb, std::uint32_t offset, MutableBytes to, std::uint32_t start) noexcept {
  return packet::load_bytes_relative(skb, offset, to, start);
}
int skb_store_bytes(Call&, SkBuff& skb, std::uint32_t offset, Bytes from, std::uint64_t flags) noexcept {
  return packet::store_bytes(skb, offset, from, flags);
}
int skb_pull_data(Call&, SkBuff& skb, std::uint32_t size) noexcept { return packet::pull_data(skb, size); }
int skb_change_head(Call&, SkBuff& skb, std::uint32_t room, std::uint64_t flags) noexcept {
  return packet::change_head(skb, room, flags);
}
int skb_change_tail(Call&, SkBuff& skb, std::uint32_t size, std::uint64_t flags) noexcept {
  return packet::change_tail(skb, size, flags);
}
int skb_change_proto(Call&, SkBuff& skb, std::uint16_t protocol, std::uint64_t flags) noexcept {
  return packet::change_proto(skb, protocol, flags);
}
int skb_change_type(Call&, SkBuff& skb, std::uint32_t type) noexcept { return packet::change_type(skb, type); }
int skb_adjust_room(Call&, SkBuff& skb, std::int32_t difference, std::uint32_t mode, std::uint64_t flags) noexcept {
  return packet::adjust_room(skb, difference, mode, flags);
}
int skb_vlan_push(Call&, SkBuff& skb, std::uint16_t protocol, std::uint16_t tci) noexcept {
  return packet::vlan_push(skb, protocol, tci);
}
int skb_vlan_pop(Call&, SkBuff& skb) noexcept { return packet::vlan_pop(skb); }
int skb_ecn_set_ce(Call&, SkBuff& skb) noexcept { return packet::ecn_set_ce(skb); }
int skb_set_tstamp(Call&, SkBuff& skb, std::uint64_t tstamp, std::uint32_t type) noexcept {
  return packet::set_tstamp(skb, tstamp, type);
}

}  // namespace

std::span<const Binding> packet_skb_bindings() noexcept {
  static constexpr Binding rows[] = {
      SKEP_BIND(skb_load_bytes),   SKEP_BIND(skb_load_bytes_relative),
      SKEP_BIND(skb_store_bytes),  SKEP_BIND(skb_pull_data),
      SKEP_BIND(skb_change_head),  SKEP_BIND(skb_change_tail),
      SKEP_BIND(skb_change_proto), SKEP_BIND(skb_change_type),
      SKEP_BIND(skb_adjust_room),  SKEP_BIND(skb_vlan_push),
      SKEP_BIND(skb_vlan_pop),     SKEP_BIND(skb_ecn_set_ce),
      SKEP_BIND(skb_set_tstamp),
  };
  return rows;
}

}  // namespace skep::helpers
