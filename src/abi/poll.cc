#include "abi/poll.h"

#include <sys/syscall.h>

#include <cstdint>

#include "base/raw_syscall.h"
#include "hive/wakeup.h"

namespace skep::abi {

long epoll_ctl(int epoll, int op, int fd, epoll_event* event, Wakeup wakeup_of) noexcept {
  const auto pass_on = [&](int to, const epoll_event* with) {
    return raw_syscall(SYS_epoll_ctl, epoll, op, to, static_cast<long>(reinterpret_cast<std::uintptr_t>(with)), 0,
                       kUnasked);
  };
  const int wakeup = wakeup_of(fd);
  if (wakeup < 0) return pass_on(fd, event);
  if (!event) return pass_on(wakeup, nullptr);
  const epoll_event instead = hive::in_epoll_set(*event);
  return pass_on(wakeup, &instead);
}

}  // namespace skep::abi
