// A bias: the thread that takes a lock in shared memory over and over goes by without an atomic operation.
//
// The lock is as it was, and whoever takes it looks at the bias next to it afterwards: if it is another thread's, or
// anybody is inside, the lock is not enough. `owner` is the thread that may go by the lock; it writes its id to a word
// that is its alone before it does, looks once more whether the bias is still its own, and clears the word at the end:
// plain stores. Others end the bias first (revoke()): they clear `owner` and have every thread go through a barrier
// (base/barrier.h), after which the words say whether somebody is at it. Only as many threads as there are such words
// have biases, until they die.
//
// A thread becomes the owner by taking the lock kStreak times with no other in between, twice as often after each time
// that a living owner's bias was ended, so that threads that take turns soon do without. An owner that dies leaves its
// id in `inside`, as it would have in the lock. Tested by: maps/bias_test.cc, maps/death_test.cc.
#pragma once

#include <cstdint>

#include "base/barrier.h"
#include "maps/lock.h"
#include "maps/words.h"

namespace skep::maps {

// In shared memory, zero when new.
struct Bias {
  static constexpr unsigned kThreads = 4;

  std::uint32_t owner;  // 0: nobody; a number without a thread while the bias is being ended, another each time
  // Who took the lock lately, and how often in a row; how often biases were ended. Guesses where threads meet.
  std::uint32_t recent, streak, ended;
  std::uint32_t inside[kThreads];  // the id of whoever is
  std::uint32_t users[kThreads];   // whose the words of `inside` are

  static constexpr std::uint32_t kStreak = 64;
  static constexpr std::uint32_t kMostDoublings = 20;

  // The owner's way past the lock. False: take the lock.
  bool enter(std::uint32_t self) noexcept {
    if (get(owner) != self) return false;
    const unsigned own = word_of(self);
    if (own == kThreads || get(inside[own]) != 0) return false;
    set(inside[own], self);
    order_for_others();
    if (get(owner) == self) return true;
    set(inside[own], 0U);
    return false;
  }
  void leave(std::uint32_t self) noexcept { set(inside[word_of(self) % kThreads], 0U); }
  bool is_inside(std::uint32_t self) noexcept {
    for (std::uint32_t& who : inside)
      if (get(who) == self) return true;
    return false;
  }
  // Somebody who is; 0: nobody.
  std::uint32_t whoever_is_inside() noexcept {
    for (std::uint32_t& who : inside)
      if (const std::uint32_t seen = get(who); seen != 0) return seen;
    return 0;
  }

  // For who has taken the lock: nothing more to do. Not within a signal handler that came while the thread was inside.
  bool lets_pass(std::uint32_t self) noexcept {
    const std::uint32_t whose = get(owner);
    return (whose == 0 || whose == self) && whoever_is_inside() == 0;
  }
  // Of one who died inside, or is given up.
  void put_out(std::uint32_t who) noexcept {
    for (std::uint32_t& word : inside)
      if (std::uint32_t seen = who; get(word) == who) std::atomic_ref(word).compare_exchange_strong(seen, 0);
  }
  // Ends what there is of a bias. False where no barrier could be had: `inside` may be wrong then.
  bool revoke() noexcept;

  // For who has taken the lock, each time or once in so many `times`: whether he should become the owner.
  bool is_due(std::uint32_t self, std::uint32_t times = 1) noexcept {
    if (get(recent) != self) {
      set(recent, self);
      set(streak, 0U);
      return false;
    }
    const std::uint32_t now = get(streak) + times;
    set(streak, now);
    return now >= kStreak << std::min(get(ended), kMostDoublings);
  }
  // False: somebody is the owner already, or barriers would not arrive here.
  bool grant(std::uint32_t self) noexcept;
  unsigned word_of(std::uint32_t self) noexcept {
    for (unsigned i = 0; i < kThreads; ++i)
      if (get(users[i]) == self) return i;
    return kThreads;
  }
  bool claim_word(std::uint32_t self) noexcept;
  static bool is_thread(std::uint32_t owner) noexcept { return thread_of(owner) != 0; }
  void give_up() noexcept { set(owner, 0U); }  // by the owner, while he is not inside
};

// For who has a lock that a bias lets its owner go by, and was not let pass: ends the bias and waits until nobody is
// inside, as wait_for_lock() does. Inherited: somebody died there, and is `dead` until put_out(). No: he is still
// there, or it is the caller himself.
Locked wait_for_owner(Bias& bias, std::uint32_t self, std::uint32_t& dead) noexcept;

// A lock with a bias.
struct BiasedLock {
  std::uint32_t word;
  Bias bias;
};

// For a scope. False as a Guard's.
class BiasedGuard {
 public:
  explicit BiasedGuard(BiasedLock& lock) noexcept : lock_(lock) {
    const std::uint32_t self = this_owner();
    if (lock.bias.enter(self)) [[likely]]
      how_ = How::ByBias;
    else
      take(self);
  }
  ~BiasedGuard() {
    if (how_ == How::ByBias) lock_.bias.leave(this_owner());
    if (how_ == How::ByLock) unlock(lock_.word);
  }
  BiasedGuard(const BiasedGuard&) = delete;
  BiasedGuard& operator=(const BiasedGuard&) = delete;
  explicit operator bool() const noexcept { return how_ != How::NotAtAll; }

 private:
  enum class How : std::uint8_t { NotAtAll, ByLock, ByBias };
  void take(std::uint32_t self) noexcept;

  BiasedLock& lock_;
  How how_ = How::NotAtAll;
};

}  // namespace skep::maps
