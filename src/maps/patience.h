// How long to wait for a word in shared memory that another thread holds: a short spin, then yields, with a look at the
// clock and at the holder's life now and then, and an end after one second. The second is the holder's: who sees that
// the word has gone from hand to hand begins anew.
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
    if (begin_ == Clock::time_point{}) begin_ = now;
    waited_ = now - begin_;
    return waited_ < std::chrono::seconds(1) ? Next::AskWhetherOwnerLives : Next::GiveUp;
  }
  // As the last look at the clock showed.
  bool lasted(std::chrono::seconds time) const noexcept { return waited_ >= time; }
  void begin_anew() noexcept { begin_ = {}; }

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
  Clock::time_point begin_{};
  Clock::duration waited_{};
};

}  // namespace skep::maps
