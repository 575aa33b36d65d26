#include "supervisor/watch.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "base/thread_status.h"

namespace skep::supervisor {

Watch::Watch(Reach& reach, Waiting& caller, std::vector<pollfd> asked)
    : is_stopping_(reach.is_stopping), caller_(caller), asked_(std::move(asked)) {
  const auto may_be_hives = [&caller](const pollfd& poll) { return caller.may_be_memory(poll.fd); };
  if (std::ranges::none_of(asked_, may_be_hives)) return;
  for (std::size_t i = 0; i < asked_.size(); ++i) {
    Fd copy = asked_[i].fd >= 0 ? caller.descriptor(asked_[i].fd) : Fd();
    const std::optional<hive::Wakeup> wakeup = copy ? reach.wakeups.of(copy.get()) : std::nullopt;
    ours_.push_back({.fd = copy.get(), .events = asked_[i].events, .revents = 0});
    if (wakeup) {
      Fd event(::fcntl(wakeup->event, F_DUPFD_CLOEXEC, 0));  // which may be dropped meanwhile
      ours_.back() = {.fd = event.get(), .events = POLLIN, .revents = 0};
      hives_.push_back({.index = i, .wakeup = *wakeup, .memory = std::move(copy), .event = std::move(event)});
      hives_.back().wakeup.event = hives_.back().event.get();
    } else {
      copies_.push_back(std::move(copy));
    }
  }
}

// Of what the last look at our copies gave: what is said of the caller's descriptors.
long Watch::collect() noexcept {
  for (std::size_t i = 0; i < asked_.size(); ++i) {
    const bool is_absent = asked_[i].fd >= 0 && ours_[i].fd < 0;
    asked_[i].revents = is_absent ? short{POLLNVAL} : ours_[i].revents;
  }
  for (const OfHive& one : hives_) {
    constexpr short kIn = POLLIN | POLLRDNORM, kOut = POLLOUT | POLLWRNORM;
    const short ready = hive::is_ready(one.wakeup, one.memory.get());
    const int said = (ready == POLLIN ? kIn : 0) | (ready == POLLOUT ? kOut : 0);
    asked_[one.index].revents = static_cast<short>(asked_[one.index].events & said);
  }
  return std::ranges::count_if(asked_, [](const pollfd& poll) { return poll.revents != 0; });
}

bool Watch::is_interrupted(std::uint64_t mask) const noexcept {
  const ThreadStatus status = thread_status(caller_.thread());
  return (status.pending & ~(status.blocked | status.ignored | mask)) != 0;
}

long Watch::wait(Deadline deadline, std::uint64_t mask) noexcept {
  ::poll(ours_.data(), ours_.size(), 0);
  for (;;) {
    if (const long count = collect(); count != 0) return count;
    const auto left = deadline ? std::chrono::ceil<std::chrono::milliseconds>(*deadline - Clock::now()) : kLook;
    if (left.count() <= 0) return 0;
    if (is_stopping_ || !caller_.waits() || is_interrupted(mask)) return -EINTR;
    ::poll(ours_.data(), ours_.size(), static_cast<int>(std::min(left, kLook).count()));
  }
}

}  // namespace skep::supervisor
