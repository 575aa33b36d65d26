// How a socket is called, so that it can be looked for without being held open.
#pragma once

#include <sys/socket.h>

#include <cstdint>

namespace skep::hive {

struct SocketName {
  int family = 0, type = 0, protocol = 0;
  std::uint64_t cookie = 0;
  std::uint64_t inode = 0;
  sockaddr_storage local = {}, remote = {};
};

// Cookie 0: `fd` is no socket, or an object of a hive.
SocketName name_of(int fd) noexcept;
// Whether a socket of that name has a descriptor somewhere; true where that cannot be found out.
bool is_open(const SocketName& name) noexcept;

}  // namespace skep::hive
