#include "supervisor/waiting.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string_view>

namespace skep::supervisor {

bool Waiting::waits() const noexcept { return ::ioctl(listener_, SECCOMP_IOCTL_NOTIF_ID_VALID, &call_.id) == 0; }

bool Waiting::copy_in(std::uint64_t address, MutableBytes to) noexcept {
  return OtherProcess::copy_in(address, to) && waits();
}

bool Waiting::copy_out(std::uint64_t address, Bytes from) noexcept {
  return waits() && OtherProcess::copy_out(address, from);
}

Fd Waiting::descriptor(int fd) noexcept {
  Fd copy = OtherProcess::descriptor(fd);
  return waits() ? std::move(copy) : Fd();
}

int Waiting::install(Fd object, int flags) noexcept {
  seccomp_notif_addfd add{.id = call_.id,
                          .flags = 0,
                          .srcfd = static_cast<std::uint32_t>(object.get()),
                          .newfd = 0,
                          .newfd_flags = static_cast<std::uint32_t>(flags)};
  const int number = ::ioctl(listener_, SECCOMP_IOCTL_NOTIF_ADDFD, &add);
  return number < 0 ? -errno : number;
}

bool Waiting::says(int fd, std::string_view name) const noexcept {
  char link[48], found[64];
  std::snprintf(link, sizeof link, "/proc/%u/fd/%d", call_.pid, fd);
  const ssize_t size = fd < 0 ? -1 : ::readlink(link, found, sizeof found);
  return size >= 0 && std::string_view(found, static_cast<std::size_t>(size)).starts_with(name);
}

void Waiting::respond(long result, std::uint32_t flags) const noexcept {
  seccomp_notif_resp response{.id = call_.id,
                              .val = result < 0 ? 0 : result,
                              .error = result < 0 ? static_cast<std::int32_t>(result) : 0,
                              .flags = flags};
  ::ioctl(listener_, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

}  // namespace skep::supervisor
