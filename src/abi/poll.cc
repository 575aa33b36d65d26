#include "abi/poll.h"

#include <sys/epoll.h>
#include <sys/syscall.h>

#include <cstdint>

#include "base/raw_syscall.h"

namespace skep::abi {

long epoll_ctl(int epoll, int op, int fd, epoll_event* event, Wakeup wakeup_of) noexcept {
  const auto pass_on = [&](int to, const epoll_event* with) {
    return raw_syscall(SYS_epoll_ctl, epoll, op, to, static_cast<long>(reinterpret_cast<std::uintptr_t>(with)));
  };
  const int wakeup = wakeup_of(fd);
  if (wakeup < 0) return pass_on(fd, event);
  if (!event) return pass_on(wakeup, nullptr);
  epoll_event edge = *event;
  edge.events |= EPOLLET;
  // Who waits for room in a user ring buffer waits for the next time it is drained.
  if ((edge.events & EPOLLOUT) != 0) edge.events = (edge.events & ~std::uint32_t{EPOLLOUT}) | EPOLLIN;
  return pass_on(wakeup, &edge);
}

}  // namespace skep::abi
