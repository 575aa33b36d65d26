#include "base/thread.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>

namespace skep {
namespace internal {

constinit thread_local std::uint32_t cached_thread_id = 0;

std::uint32_t ask_thread_id() noexcept { return cached_thread_id = static_cast<std::uint32_t>(::gettid()); }

}  // namespace internal

std::ptrdiff_t thread_id_offset() noexcept {
  return reinterpret_cast<const std::byte*>(&internal::cached_thread_id) -
         static_cast<const std::byte*>(__builtin_thread_pointer());
}

namespace {

// After a fork the one thread that is left has a new id.
[[maybe_unused]] const int kForget = pthread_atfork(nullptr, nullptr, [] { internal::cached_thread_id = 0; });

}  // namespace

namespace {

// The letter that /proc has for what a thread does; 0 where it does not say.
char state_of(std::uint32_t id) noexcept {
  char path[32] = "/proc/";
  char* const end = std::to_chars(path + 6, path + 20, id).ptr;
  std::memcpy(end, "/stat", 6);
  const int file = ::open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  char text[128];  // number (name, at most 64 bytes) state
  const ssize_t size = ::read(file, text, sizeof text);
  ::close(file);
  const std::string_view stat(text, static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string_view::npos || name_end + 2 >= stat.size()) return 0;
  return stat[name_end + 2];
}

// A process that waits, dead, for its parent to ask after it.
bool is_zombie(char state) noexcept { return state == 'Z' || state == 'X'; }

}  // namespace

bool thread_exists(std::uint32_t id) noexcept {
  if (id == 0 || id > INT32_MAX) return false;
  const int saved = errno;
  const bool exists = (::kill(static_cast<pid_t>(id), 0) == 0 || errno != ESRCH) && !is_zombie(state_of(id));
  errno = saved;
  return exists;
}

bool thread_is_stopped(std::uint32_t id) noexcept {
  const int saved = errno;
  const char state = state_of(id);
  errno = saved;
  return state == 'T' || state == 't';
}

}  // namespace skep
