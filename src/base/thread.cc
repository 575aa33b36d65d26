#include "base/thread.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>

namespace skep {
namespace {

thread_local std::uint32_t cached_id = 0;

// After a fork the one thread that is left has a new id.
[[maybe_unused]] const int kForget = pthread_atfork(nullptr, nullptr, [] { cached_id = 0; });

}  // namespace

std::uint32_t thread_id() noexcept {
  if (cached_id == 0) cached_id = static_cast<std::uint32_t>(::gettid());
  return cached_id;
}

bool thread_exists(std::uint32_t id) noexcept {
  if (id == 0 || id > INT32_MAX) return false;
  const int saved = errno;
  const bool exists = ::kill(static_cast<pid_t>(id), 0) == 0 || errno != ESRCH;
  errno = saved;
  return exists;
}

}  // namespace skep
