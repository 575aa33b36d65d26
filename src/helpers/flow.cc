// What a packet belongs to. Where only a kernel has a value (a socket, a cgroup, a route), these are what
// it says of a packet without one:
//   get_hash_recalc        a hash of the flow (packet/sk_ops.h), not the kernel's number
//   get_socket_cookie      0: no socket
//   get_socket_uid         65534, the overflow user: no full socket
//   get_netns_cookie       1, the first network namespace's
//   get_cgroup_classid, skb_cgroup_classid, get_route_realm    0: none set
//   skb_cgroup_id, skb_ancestor_cgroup_id                      0: no socket, so no cgroup
//   fib_lookup             4, BPF_FIB_LKUP_RET_NOT_FWDED: no routes
#include "helpers/subjects.h"
#include "packet/sk_ops.h"

namespace skep::helpers {

namespace {

using packet::SkBuff;

std::uint32_t get_hash_recalc(Call&, SkBuff& skb) noexcept { return packet::hash_recalc(skb); }
int set_hash(Call&, SkBuff& skb, std::uint32_t hash) noexcept {
  packet::set_hash(skb, hash);
  return 0;
}
int set_hash_invalid(Call&, SkBuff& skb) noexcept {
  packet::clear_hash(skb);
  return 0;
}

std::uint64_t get_socket_cookie(Call&, Context) noexcept { return 0; }
std::uint32_t get_socket_uid(Call&, Context) noexcept { return 65534; }
std::uint64_t get_netns_cookie(Call&, Context) noexcept { return 1; }
std::uint32_t get_cgroup_classid(Call&, Context) noexcept { return 0; }
std::uint64_t skb_cgroup_classid(Call&, Context) noexcept { return 0; }
std::uint32_t get_route_realm(Call&, Context) noexcept { return 0; }
std::uint64_t skb_cgroup_id(Call&, Context) noexcept { return 0; }
std::uint64_t skb_ancestor_cgroup_id(Call&, Context, std::uint32_t) noexcept { return 0; }

constexpr std::size_t kFibParameters = 64;  // bytes of struct bpf_fib_lookup
constexpr std::uint32_t kFibFlags = 0x3f;
constexpr std::uint8_t kInet = 2, kInet6 = 10;
constexpr int kNotForwarded = 4;

std::int64_t fib_lookup(Call&, Context, MutableBytes parameters, std::uint32_t flags) noexcept {
  if (parameters.size() < kFibParameters || (flags & ~kFibFlags) != 0) return -EINVAL;
  const auto family = std::to_integer<std::uint8_t>(parameters[0]);
  return family == kInet || family == kInet6 ? kNotForwarded : -EAFNOSUPPORT;
}

}  // namespace

std::span<const Binding> flow_bindings() noexcept {
  static constexpr Binding rows[] = {
      SKEP_BIND(get_hash_recalc),        SKEP_BIND(set_hash),
      SKEP_BIND(set_hash_invalid),       SKEP_BIND(get_socket_cookie),
      SKEP_BIND(get_socket_uid),         SKEP_BIND(get_netns_cookie),
      SKEP_BIND(get_cgroup_classid),     SKEP_BIND(skb_cgroup_classid),
      SKEP_BIND(get_route_realm),        SKEP_BIND(skb_cgroup_id),
      SKEP_BIND(skb_ancestor_cgroup_id), SKEP_BIND(fib_lookup),
  };
  return rows;
}

}  // namespace skep::helpers
