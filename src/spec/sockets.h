// Which bytes of a socket a program may read through a pointer to it.
//
// Such an access is rewritten to the kernel's structure, as one to a context is; nothing may be written. Source:
// socket_fields.def, Linux 6.12. Cost: a walk along a dozen rows. Tested by: spec/sockets_test.cc; the verifier's cases
// ask the running kernel.
#pragma once

#include <cstdint>

namespace skep::spec {

enum class SocketKind : std::uint8_t {
  Full,    // struct bpf_sock
  Common,  // the same, of which only the common part is there
  Tcp,     // struct bpf_tcp_sock
  Xdp,     // struct bpf_xdp_sock
};

// `size` bytes (1, 2, 4 or 8) at `offset`.
bool can_read(SocketKind socket, std::int64_t offset, std::uint32_t size) noexcept;

}  // namespace skep::spec
