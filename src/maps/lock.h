// A lock in shared memory: one word that holds its owner, base/thread.h's this_owner(), 0 when free.
//
// Taking it spins, then yields. It fails, and the operation with -EBUSY, when the caller owns it already (a signal
// handler inside an update) or when a living owner keeps it longer than a second (a stopped process, a scribbled
// region); an owner that no longer exists is succeeded. Nothing waits forever. Tested by: maps/lock_test.cc.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/thread.h"

namespace skep::maps {

// Inherited: held now, but its last owner died holding it, perhaps in the middle of something.
enum class Locked : std::uint8_t { No, Yes, Inherited };

// What is left to do for thread `self` when somebody holds the lock.
Locked wait_for_lock(std::uint32_t& word, std::uint32_t self) noexcept;

// Without waiting; a dead owner's lock is not taken either.
inline bool try_lock(std::uint32_t& word) noexcept {
  std::uint32_t free = 0;
  return std::atomic_ref(word).compare_exchange_strong(free, this_owner(), std::memory_order_acquire,
                                                       std::memory_order_relaxed);
}
inline Locked lock(std::uint32_t& word) noexcept {
  return try_lock(word) ? Locked::Yes : wait_for_lock(word, this_owner());
}
// Without waiting; a dead owner is succeeded.
Locked lock_unless_owned(std::uint32_t& word) noexcept;
inline void unlock(std::uint32_t& word) noexcept { std::atomic_ref(word).store(0, std::memory_order_release); }

// lock() for a scope.
class Guard {
 public:
  explicit Guard(std::uint32_t& word) noexcept : Guard(word, [] {}) {}
  // `repair` what an owner left who died holding it.
  template <class Repair>
  Guard(std::uint32_t& word, Repair repair) noexcept : word_(word) {
    const Locked locked = lock(word);
    held_ = locked != Locked::No;
    if (locked == Locked::Inherited) repair();
  }
  ~Guard() {
    if (held_) unlock(word_);
  }
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;
  explicit operator bool() const noexcept { return held_; }

 private:
  std::uint32_t& word_;
  bool held_;
};

}  // namespace skep::maps
