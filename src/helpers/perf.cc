// Records for perf event arrays: the program's bytes, then as many of its packet as the flags' upper half asks for.
#include <optional>

#include "helpers/subjects.h"
#include "packet/sk_ops.h"
#include "packet/xdp_ops.h"
#include "spec/uapi.h"

namespace skep::helpers {

namespace {

constexpr unsigned kPacketShift = 32;
constexpr std::uint64_t kPacketMask = std::uint64_t{0xfffff} << kPacketShift;
constexpr std::size_t kLargest = 65528;  // bytes of a record: its size is 16 bits of a multiple of 8
constexpr std::size_t kSmall = 2048;

std::int64_t send(Call& call, maps::Map& map, std::uint64_t flags, Bytes record) noexcept {
  std::uint64_t index = flags & spec::kIndexMask;
  if (index == spec::kCurrentCpu) index = call.cpu;
  if (index >= map.spec().max_entries) return -E2BIG;
  return call.host.perf_event(map, index, record);
}

// The packet of the program that runs; nullopt when its context is none.
std::optional<Bytes> packet_of(const Call& call, Context context) noexcept {
  if (call.program == nullptr) return std::nullopt;
  switch (call.program->image().context) {
    case exec::ContextKind::XdpBuff: {
      const auto& xdp = *static_cast<const packet::XdpBuff*>(context.address);
      return Bytes(xdp.data, packet::length(xdp));
    }
    case exec::ContextKind::SkBuff: {
      const auto& skb = *static_cast<const packet::SkBuff*>(context.address);
      return Bytes(skb.data, skb.len);
    }
    case exec::ContextKind::Memory: return std::nullopt;
  }
  return std::nullopt;
}

// In functions of their own, so that only large records need a large stack frame.
template <std::size_t Room>
[[gnu::noinline]] std::int64_t send_both(Call& call, maps::Map& map, std::uint64_t flags, Bytes own,
                                         Bytes packet) noexcept {
  std::byte record[Room];
  if (!own.empty()) std::memcpy(record, own.data(), own.size());
  std::memcpy(record + own.size(), packet.data(), packet.size());
  return send(call, map, flags, {record, own.size() + packet.size()});
}

std::int64_t perf_event_output(Call& call, Context context, maps::Map& map, std::uint64_t flags, Bytes own) noexcept {
  if (map.spec().type != spec::MapType::PerfEventArray) return -EINVAL;
  const std::optional<Bytes> packet = packet_of(call, context);
  const std::uint64_t known = packet ? spec::kIndexMask | kPacketMask : spec::kIndexMask;
  if ((flags & ~known) != 0) return -EINVAL;
  const std::uint64_t wanted = (flags & kPacketMask) >> kPacketShift;
  if (wanted == 0) return own.size() > kLargest ? -E2BIG : send(call, map, flags, own);
  if (wanted > packet->size()) return -EFAULT;
  if (own.size() > kLargest || own.size() + wanted > kLargest) return -E2BIG;
  return own.size() + wanted <= kSmall ? send_both<kSmall>(call, map, flags, own, packet->first(wanted))
                                       : send_both<kLargest>(call, map, flags, own, packet->first(wanted));
}

}  // namespace

std::span<const Binding> perf_bindings() noexcept {
  static constexpr Binding rows[] = {SKEP_BIND(perf_event_output)};
  return rows;
}

}  // namespace skep::helpers
