// Sending packets elsewhere: the helpers note the target in Call::redirect, the hook sends.
#include "helpers/subjects.h"
#include "packet/mtu.h"
#include "packet/sk_ops.h"
#include "spec/uapi.h"

namespace skep::helpers {

namespace {

using packet::SkBuff;
using spec::MapType;

constexpr std::uint64_t kActionMask = 3;  // flags' low bits: the result when there is no entry
constexpr std::size_t kNeighbour = 20;    // bytes of struct bpf_redir_neigh

std::int64_t xdp(spec::XdpAction action) noexcept { return static_cast<std::int64_t>(action); }
std::int64_t tc(spec::TcAction action) noexcept { return static_cast<std::int64_t>(action); }

bool is_xdp(const Call& call) noexcept {
  return call.program != nullptr && call.program->image().context == exec::ContextKind::XdpBuff;
}

void to_interface(Call& call, std::uint32_t ifindex, std::uint64_t flags) noexcept {
  call.redirect = {.kind = exec::Redirect::Kind::Interface, .ifindex = ifindex, .flags = flags};
}

std::int64_t redirect(Call& call, std::uint32_t ifindex, std::uint64_t flags) noexcept {
  if (is_xdp(call)) {
    if (flags != 0) return xdp(spec::XdpAction::Aborted);
    to_interface(call, ifindex, 0);
    return xdp(spec::XdpAction::Redirect);
  }
  if ((flags & ~std::uint64_t{spec::kIngress}) != 0) return tc(spec::TcAction::Shot);
  to_interface(call, ifindex, flags);
  return tc(spec::TcAction::Redirect);
}

std::int64_t redirect_peer(Call& call, std::uint32_t ifindex, std::uint64_t flags) noexcept {
  if (flags != 0) return tc(spec::TcAction::Shot);
  to_interface(call, ifindex, spec::kIngress);  // the peer receives it
  return tc(spec::TcAction::Redirect);
}

std::int64_t redirect_neigh(Call& call, std::uint32_t ifindex, Bytes neighbour, std::uint64_t flags) noexcept {
  if (flags != 0 || (!neighbour.empty() && neighbour.size() < kNeighbour)) return tc(spec::TcAction::Shot);
  to_interface(call, ifindex, 0);
  return tc(spec::TcAction::Redirect);
}

// Flags that a redirect into this type of map may have besides the action; nullopt when it is no target at all.
std::optional<std::uint64_t> target_flags(MapType type) noexcept {
  switch (type) {
    case MapType::Devmap:
    case MapType::DevmapHash: return spec::kBroadcast | spec::kExcludeIngress;
    case MapType::Cpumap:
    case MapType::Xskmap: return 0;
    default: return std::nullopt;
  }
}

std::int64_t redirect_map(Call& call, maps::Map& map, std::uint64_t key, std::uint64_t flags) noexcept {
  const std::optional<std::uint64_t> allowed = target_flags(map.spec().type);
  if (!allowed || (flags & ~(kActionMask | *allowed)) != 0) return xdp(spec::XdpAction::Aborted);
  const auto index = static_cast<std::uint32_t>(key);
  const std::byte* const entry = map.lookup(reinterpret_cast<const std::byte*>(&index), call.cpu);
  if (entry == nullptr && (flags & spec::kBroadcast) == 0) {
    call.redirect = {};  // the last call counts
    return static_cast<std::int64_t>(flags & kActionMask);
  }
  const bool to_all = (flags & spec::kBroadcast) != 0;
  call.redirect = {.kind = exec::Redirect::Kind::MapEntry,
                   .ifindex = to_all || entry == nullptr ? 0 : load<std::uint32_t>(entry),
                   .flags = to_all ? flags : 0,
                   .map = &map,
                   .key = index};
  return xdp(spec::XdpAction::Redirect);
}

std::int64_t clone_redirect(Call& call, SkBuff& skb, std::uint32_t ifindex, std::uint64_t flags) noexcept {
  if ((flags & ~std::uint64_t{spec::kIngress}) != 0) return -EINVAL;
  if (skb.gso_size != 0 && skb.gso_type == 0) return -EBADMSG;
  return call.host.clone_to(ifindex, (flags & spec::kIngress) != 0, {skb.data, skb.len});
}

int check_mtu(Call& call, Context context, std::uint32_t ifindex, std::byte* size, std::int32_t difference,
              std::uint64_t flags) noexcept {
  const packet::MtuQuestion question{ifindex, difference, flags};
  auto bytes = load<std::uint32_t>(size);
  const int answer = is_xdp(call)
                         ? packet::check_mtu(*static_cast<const packet::XdpBuff*>(context.address), question, bytes)
                         : packet::check_mtu(*static_cast<const SkBuff*>(context.address), question, bytes);
  store(size, bytes);
  return answer;
}

}  // namespace

std::span<const Binding> redirect_bindings() noexcept {
  static constexpr Binding rows[] = {
      SKEP_BIND(redirect),     SKEP_BIND(redirect_peer),  SKEP_BIND(redirect_neigh),
      SKEP_BIND(redirect_map), SKEP_BIND(clone_redirect), SKEP_BIND(check_mtu),
  };
  return rows;
}

}  // namespace skep::helpers
