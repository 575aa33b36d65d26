// The calling thread, as lock words in shared memory have it: its id, of 22 bits, and 10 bits of when it began, so that
// who finds such a word knows a thread that has ended from a later one that was given its number. Cached; right again
// in a fork's child. Tested by: base/thread_test.cc.
#pragma once

#include <cstddef>
#include <cstdint>

namespace skep {

namespace internal {
// 0: not asked yet. Initial-exec: where it is from the thread pointer is the same in all threads.
[[gnu::tls_model("initial-exec")]] extern constinit thread_local std::uint32_t cached_owner;
std::uint32_t ask_owner() noexcept;
}  // namespace internal

inline constexpr std::uint32_t kThreadIdBits = 22;  // Linux's limit: 4,194,304

// The calling thread as the owner of something. Never 0. The first call in a thread reads /proc, some 20 us.
inline std::uint32_t this_owner() noexcept {
  const std::uint32_t word = internal::cached_owner;
  return word != 0 ? word : internal::ask_owner();
}
// The thread's id of such a word.
inline std::uint32_t thread_of(std::uint32_t owner) noexcept { return owner & ((1U << kThreadIdBits) - 1); }
// Whether the thread that this word is of lives: not where it ended and its id is another's now. Where /proc does not
// say when threads began, and once in 1023 such threads, that other one is taken for it.
bool owner_exists(std::uint32_t owner) noexcept;

inline std::uint32_t thread_id() noexcept { return thread_of(this_owner()); }  // never 0
// For compiled code: bytes from the thread pointer to the cached this_owner(), which is 0 where nobody asked yet. Never
// 0 itself.
std::ptrdiff_t owner_offset() noexcept;
// Whether a thread with this id lives anywhere (seen from this pid namespace): one whose parent has not asked after it
// yet does not.
bool thread_exists(std::uint32_t id) noexcept;
// Whether it does not run because a signal or a debugger stopped it; false where nothing is known.
bool thread_is_stopped(std::uint32_t id) noexcept;

}  // namespace skep
