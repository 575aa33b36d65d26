// How long to wait for a word in shared memory that another thread holds: a short spin, then yields, with a look at the
// clock and at the holder's life now and then, and an end after one second.
#pragma once

#include <sched.h>

#include <chrono>
#include <cstdint>

namespace skep::maps {

class Patience {
 public:
  enum class Next : std::uint8_t { Retry, AskWhetherOwnerLives, GiveUp };

  Next wait() noexcept {
    ++rounds_;
    if (rounds_ < kSpins) {
      relax();
      return Next::Retry;
    }
    ::sched_yield();
    if (rounds_ % kYieldsPerLook != 0) return Next::Retry;
    const auto now = Clock::now();
    if (end_ == Clock::time_point{}) end_ = now + std::chrono::seconds(1);
    return now < end_ ? Next::AskWhetherOwnerLives : Next::GiveUp;
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::uint32_t kSpins = 64;
  static constexpr std::uint32_t kYieldsPerLook = 8;  // a yield takes long on a busy machine

  static void relax() noexcept {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }

  std::uint32_t rounds_ = 0;
  Clock::time_point end_{};
};

}  // namespace skep::maps
