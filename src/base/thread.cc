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

// Whether a process waits, dead, for its parent to ask after it. Not where /proc does not say.
bool is_zombie(std::uint32_t id) noexcept {
  char path[32] = "/proc/";
  char* const end = std::to_chars(path + 6, path + 20, id).ptr;
  std::memcpy(end, "/stat", 6);
  const int file = ::open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  char text[128];  // number (name, at most 64 bytes) state
  const ssize_t size = ::read(file, text, sizeof text);
  ::close(file);
  const std::string_view stat(text, static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string_view::npos || name_end + 2 >= stat.size()) return false;
  return stat[name_end + 2] == 'Z' || stat[name_end + 2] == 'X';
}

}  // namespace

bool thread_exists(std::uint32_t id) noexcept {
  if (id == 0 || id > INT32_MAX) return false;
  const int saved = errno;
  const bool exists = (::kill(static_cast<pid_t>(id), 0) == 0 || errno != ESRCH) && !is_zombie(id);
  errno = saved;
  return exists;
}

}  // namespace skep
