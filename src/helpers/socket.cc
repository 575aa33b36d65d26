// Sockets. A hive has none yet: whoever looks for one finds nothing, so that what takes one is never reached by a
// verified program.
#include "helpers/subjects.h"

namespace skep::helpers {

namespace {

std::byte* sk_lookup_tcp(Call&, Context, Bytes, std::uint64_t, std::uint64_t) noexcept { return nullptr; }
std::byte* sk_lookup_udp(Call&, Context, Bytes, std::uint64_t, std::uint64_t) noexcept { return nullptr; }
std::byte* skc_lookup_tcp(Call&, Context, Bytes, std::uint64_t, std::uint64_t) noexcept { return nullptr; }
std::byte* sk_fullsock(Call&, std::byte*) noexcept { return nullptr; }
std::byte* tcp_sock(Call&, std::byte*) noexcept { return nullptr; }
std::byte* get_listener_sock(Call&, std::byte*) noexcept { return nullptr; }
int sk_release(Call&, std::byte*) noexcept { return -EINVAL; }

}  // namespace

std::span<const Binding> socket_bindings() noexcept {
  static constexpr Binding rows[] = {
      SKEP_BIND(sk_lookup_tcp), SKEP_BIND(sk_lookup_udp),     SKEP_BIND(skc_lookup_tcp), SKEP_BIND(sk_fullsock),
      SKEP_BIND(tcp_sock),      SKEP_BIND(get_listener_sock), SKEP_BIND(sk_release),
  };
  return rows;
}

}  // namespace skep::helpers
