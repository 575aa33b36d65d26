// Packets of XDP programs.
#include "helpers/subjects.h"
#include "packet/xdp_ops.h"

namespace skep::helpers {

namespace {

using packet::XdpBuff;

int xdp_adjust_head(Call&, XdpBuff& xdp, std::int32_t offset) noexcept { return packet::adjust_head(xdp, offset); }
int xdp_adjust_meta(Call&, XdpBuff& xdp, std::int32_t offset) noexcept { return packet::adjust_meta(xdp, offset); }
int xdp_adjust_tail(Call&, XdpBuff& xdp, std::int32_t offset) noexcept { return packet::adjust_tail(xdp, offset); }
std::uint64_t xdp_get_buff_len(Call&, XdpBuff& xdp) noexcept { return packet::length(xdp); }
int xdp_load_bytes(Call&, XdpBuff& xdp, std::uint32_t offset, MutableBytes to) noexcept {
  return packet::load_bytes(xdp, offset, to);
}
int xdp_store_bytes(Call&, XdpBuff& xdp, std::uint32_t offset, Bytes from) noexcept {
  return packet::store_bytes(xdp, offset, from);
}

}  // namespace

std::span<const Binding> packet_xdp_bindings() noexcept {
  static constexpr Binding rows[] = {
      SKEP_BIND(xdp_adjust_head),  SKEP_BIND(xdp_adjust_meta), SKEP_BIND(xdp_adjust_tail),
      SKEP_BIND(xdp_get_buff_len), SKEP_BIND(xdp_load_bytes),  SKEP_BIND(xdp_store_bytes),
  };
  return rows;
}

}  // namespace skep::helpers
