// poll(2) on another process's descriptors, of which some are a hive's.
//
// Waits here on copies of the descriptors, for a hive's on their wake-ups, which are asked again and again whether they
// mean anything (hive/wakeup.h). The kernel does not let the caller have signals meanwhile: so they are looked for
// every kLook, and end the wait. One that only the mask of ppoll(2) lets in is not seen before the wait ends.
// Tested by: tests/exec.
#pragma once

#include <poll.h>

#include <chrono>
#include <optional>
#include <span>
#include <vector>

#include "supervisor/answers.h"

namespace skep::supervisor {

class Watch {
 public:
  using Clock = std::chrono::steady_clock;
  using Deadline = std::optional<Clock::time_point>;  // none: for ever

  // Of what the caller asks. is_needed() says whether a hive's descriptor is among it: if not, the kernel is to wait.
  Watch(Reach& reach, Waiting& caller, std::vector<pollfd> asked);
  bool is_needed() const noexcept { return !hives_.empty(); }

  // How many descriptors have something to say, which asked() then says; 0 after the deadline; -EINTR when there is a
  // signal for the caller that is not in `mask` and not blocked, or the supervisor stops.
  long wait(Deadline deadline, std::uint64_t mask) noexcept;
  std::span<const pollfd> asked() const noexcept { return asked_; }

 private:
  static constexpr std::chrono::milliseconds kLook{20};

  struct OfHive {
    std::size_t index;
    hive::Wakeup wakeup;
    Fd memory, event;
  };

  long collect() noexcept;
  bool is_interrupted(std::uint64_t mask) const noexcept;

  const std::atomic<bool>& is_stopping_;
  Waiting& caller_;
  std::vector<pollfd> asked_;
  std::vector<pollfd> ours_;  // the same of our copies
  std::vector<Fd> copies_;
  std::vector<OfHive> hives_;
};

}  // namespace skep::supervisor
