// libskep-preload.so: send(2), sendto(2) and sendmsg(2), by which XDP programs and tc filters get to their places. A
// hive's program cannot go there: EOPNOTSUPP. All else goes on to libc, at once in processes that never called bpf(2).
// Tested by: tests/exec.
#include <linux/netlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "abi/netlink.h"
#include "abi/next.h"
#include "abi/uses_hive.h"
#include "hive/caller.h"
#include "hive/descriptor.h"

namespace skep::abi {

std::atomic<bool> uses_hive{false};

namespace {

bool is_rtnetlink(int socket) noexcept {
  const auto is = [socket](int option, int value) {
    int found = 0;
    socklen_t size = sizeof found;
    return ::getsockopt(socket, SOL_SOCKET, option, &found, &size) == 0 && found == value;
  };
  return is(SO_DOMAIN, AF_NETLINK) && is(SO_PROTOCOL, NETLINK_ROUTE);
}

bool names_hives(const void* message, std::size_t size) noexcept {
  std::array<std::byte, 4096> room;
  hive::LocalCaller caller;
  const auto text = std::span(room).first(std::min(size, room.size()));
  if (!caller.copy_in(reinterpret_cast<std::uintptr_t>(message), text)) return false;
  const std::optional<int> fd = attached_by(text);
  const std::optional<hive::Identity> identity = fd ? hive::from_socket(*fd) : std::nullopt;
  return identity && identity->kind == hive::Kind::Prog;
}

// Whether a call is one for a hive's program; errno says so then, and is what it was else.
bool is_refused(int socket, const void* message, std::size_t size) noexcept {
  if (!uses_hive.load(std::memory_order_relaxed)) return false;
  const int before = errno;
  const bool refused = is_rtnetlink(socket) && names_hives(message, size);
  errno = refused ? EOPNOTSUPP : before;
  return refused;
}

// Of a message in parts the first, which programs that attach something use.
bool is_refused(int socket, const msghdr* message) noexcept {
  if (!uses_hive.load(std::memory_order_relaxed)) return false;
  msghdr head{};
  iovec part{};
  hive::LocalCaller caller;
  const auto copy = [&caller](const void* from, MutableBytes to) {
    return caller.copy_in(reinterpret_cast<std::uintptr_t>(from), to);
  };
  return copy(message, std::as_writable_bytes(std::span(&head, 1))) && head.msg_iovlen != 0 &&
         copy(head.msg_iov, std::as_writable_bytes(std::span(&part, 1))) &&
         is_refused(socket, part.iov_base, part.iov_len);
}

}  // namespace
}  // namespace skep::abi

#define SKEP_EXPORT extern "C" __attribute__((visibility("default")))

SKEP_EXPORT ssize_t send(int socket, const void* message, std::size_t size, int flags) {
  static skep::abi::Next<ssize_t(int, const void*, std::size_t, int)> next("send");
  return skep::abi::is_refused(socket, message, size) ? -1 : next(socket, message, size, flags);
}

SKEP_EXPORT ssize_t sendto(int socket, const void* message, std::size_t size, int flags, const sockaddr* to,
                           socklen_t length) {
  static skep::abi::Next<ssize_t(int, const void*, std::size_t, int, const sockaddr*, socklen_t)> next("sendto");
  return skep::abi::is_refused(socket, message, size) ? -1 : next(socket, message, size, flags, to, length);
}

SKEP_EXPORT ssize_t sendmsg(int socket, const msghdr* message, int flags) {
  static skep::abi::Next<ssize_t(int, const msghdr*, int)> next("sendmsg");
  return skep::abi::is_refused(socket, message) ? -1 : next(socket, message, flags);
}
