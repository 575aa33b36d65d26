// The calling thread's id, as lock words in shared memory hold it. Cached; right again in a fork's child.
#pragma once

#include <cstddef>
#include <cstdint>

namespace skep {

namespace internal {
// 0: not asked yet. Initial-exec: where it is from the thread pointer is the same in all threads.
[[gnu::tls_model("initial-exec")]] extern constinit thread_local std::uint32_t cached_thread_id;
std::uint32_t ask_thread_id() noexcept;
}  // namespace internal

inline std::uint32_t thread_id() noexcept {  // never 0
  const std::uint32_t id = internal::cached_thread_id;
  return id != 0 ? id : internal::ask_thread_id();
}
// For compiled code: bytes from the thread pointer to the cached id, which is 0 where nobody asked yet. Never 0 itself.
std::ptrdiff_t thread_id_offset() noexcept;
// Whether a thread with this id lives anywhere (seen from this pid namespace): one whose parent has not asked after it
// yet does not.
bool thread_exists(std::uint32_t id) noexcept;
// Whether it does not run because a signal or a debugger stopped it; false where nothing is known.
bool thread_is_stopped(std::uint32_t id) noexcept;

}  // namespace skep
