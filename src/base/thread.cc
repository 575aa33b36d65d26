#include "base/thread.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>

namespace skep {
namespace internal {

constinit thread_local std::uint32_t cached_thread_id = 0;

std::uint32_t ask_thread_id() noexcept { return cached_thread_id = static_cast<std::uint32_t>(::gettid()); }

}  // namespace internal

namespace {

// After a fork the one thread that is left has a new id.
[[maybe_unused]] const int kForget = pthread_atfork(nullptr, nullptr, [] { internal::cached_thread_id = 0; });

}  // namespace

bool thread_exists(std::uint32_t id) noexcept {
  if (id == 0 || id > INT32_MAX) return false;
  const int saved = errno;
  const bool exists = ::kill(static_cast<pid_t>(id), 0) == 0 || errno != ESRCH;
  errno = saved;
  return exists;
}

}  // namespace skep
