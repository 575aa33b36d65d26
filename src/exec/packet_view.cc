#include "exec/packet_view.h"

#include <cstddef>

#include <algorithm>

#include "packet/sk_buff.h"
#include "packet/xdp_buff.h"

namespace skep::exec {

const XdpEdges kXdpEdges = {.data = offsetof(packet::XdpBuff, data),
                            .data_end = offsetof(packet::XdpBuff, data_end),
                            .frags_end = offsetof(packet::XdpBuff, frags_end)};
namespace {

using packet::SkBuff;
using packet::XdpBuff;

// Offsets from which LD_ABS and LD_IND count from the network and the link-layer header (linux/filter.h).
constexpr std::int64_t kNetworkOffset = -0x100000;
constexpr std::int64_t kLinkOffset = -0x200000;

template <class Context>
Bytes from_metadata(const void* context) {
  const auto& buff = *static_cast<const Context*>(context);
  const std::byte* start = std::min(buff.data_meta, buff.data);  // above data: there is no metadata
  return {start, buff.data_end};
}

template <class Context>
PacketEdges edges(const void* context) noexcept {
  const auto& buff = *static_cast<const Context*>(context);
  const auto address = [](const std::byte* at) { return reinterpret_cast<std::uint64_t>(at); };
  return {address(buff.data_meta), address(buff.data), address(buff.data_end)};
}

}  // namespace

std::size_t context_bytes(ContextKind kind) noexcept {
  switch (kind) {
    case ContextKind::Memory: return 0;
    case ContextKind::XdpBuff: return sizeof(XdpBuff);
    case ContextKind::SkBuff: return sizeof(SkBuff);
  }
  return 0;
}

Bytes packet_of(ContextKind kind, const void* context) noexcept {
  switch (kind) {
    case ContextKind::Memory: return {};
    case ContextKind::XdpBuff: return from_metadata<XdpBuff>(context);
    case ContextKind::SkBuff: return from_metadata<SkBuff>(context);
  }
  return {};
}

PacketEdges packet_edges(ContextKind kind, const void* context) noexcept {
  switch (kind) {
    case ContextKind::Memory: return {};
    case ContextKind::XdpBuff: return edges<XdpBuff>(context);
    case ContextKind::SkBuff: return edges<SkBuff>(context);
  }
  return {};
}

std::optional<std::uint64_t> load_packet(const void* context, std::int64_t offset, unsigned bytes) noexcept {
  const auto& skb = *static_cast<const SkBuff*>(context);
  const std::int64_t network = skb.network_offset;
  std::int64_t at = offset;
  std::int64_t lowest = 0;
  if (offset < 0) {
    if (offset < kLinkOffset) return {};
    at = offset >= kNetworkOffset ? network + offset - kNetworkOffset
                                  : network - std::int64_t{skb.mac_len} + offset - kLinkOffset;
    lowest = skb.head - skb.data;
  }
  if (at < lowest || at + bytes > skb.data_end - skb.data) return {};
  std::uint64_t value = 0;
  for (unsigned i = 0; i < bytes; ++i) value = value << 8 | std::to_integer<std::uint64_t>(skb.data[at + i]);
  return value;
}

}  // namespace skep::exec
