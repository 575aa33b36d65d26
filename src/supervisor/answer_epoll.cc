// Waiting by epoll(7) for what cannot be waited for: ring buffers and perf events, for which their wake-ups stand in
// (hive/wakeup.h).
#include <sys/epoll.h>

#include <cerrno>

#include "supervisor/answers.h"

namespace skep::supervisor::answers {

// Done here, on the caller's own epoll set: it holds our number of the wake-up, which stays the same.
Answer wait_on_epoll(Call& call) noexcept {
  Waiting& caller = *call.caller;
  const int op = caller.word(1);
  if (!caller.may_be_memory(caller.word(2))) return Answer::How::PassOn;
  const Fd object = caller.descriptor(caller.word(2));
  const std::optional<hive::Wakeup> wakeup = call.reach.wakeups.of(object.get());
  if (!wakeup) return Answer::How::PassOn;
  const Fd set = caller.descriptor(caller.word(0));
  if (!set) return -EBADF;
  if (op == EPOLL_CTL_DEL) return ::epoll_ctl(set.get(), op, wakeup->event, nullptr) == 0 ? 0 : -errno;
  const std::optional<epoll_event> asked = read<epoll_event>(caller, caller.argument(3));
  if (!asked) return -EFAULT;
  epoll_event instead = hive::in_epoll_set(*asked);
  return ::epoll_ctl(set.get(), op, wakeup->event, &instead) == 0 ? 0 : -errno;
}

}  // namespace skep::supervisor::answers
