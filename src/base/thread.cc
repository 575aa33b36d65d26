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

constinit thread_local std::uint32_t cached_owner = 0;

}  // namespace internal

std::ptrdiff_t owner_offset() noexcept {
  return reinterpret_cast<const std::byte*>(&internal::cached_owner) -
         static_cast<const std::byte*>(__builtin_thread_pointer());
}

namespace {

// After a fork the one thread that is left has a new id.
[[maybe_unused]] const int kForget = pthread_atfork(nullptr, nullptr, [] { internal::cached_owner = 0; });

}  // namespace

namespace {

// What /proc says of a thread; zeros where it says nothing.
struct Stat {
  char state;
  std::uint64_t begin;  // clock ticks since the machine started
};

// From the words behind a thread's name, of which the state is the first.
Stat parse(std::string_view words) noexcept {
  constexpr unsigned kBegin = 19;
  Stat stat{.state = words.empty() ? char{} : words[0], .begin = 0};
  for (unsigned i = 0; i < kBegin; ++i) {
    const std::size_t blank = words.find(' ');
    if (blank == std::string_view::npos) return stat;
    words.remove_prefix(blank + 1);
  }
  std::from_chars(words.data(), words.data() + words.size(), stat.begin);
  return stat;
}

Stat stat_of(std::uint32_t id) noexcept {
  char path[32] = "/proc/";
  char* const end = std::to_chars(path + 6, path + 20, id).ptr;
  std::memcpy(end, "/stat", 6);
  const int saved = errno;
  const int file = ::open(path, O_RDONLY | O_CLOEXEC);
  char text[512];
  const ssize_t size = file < 0 ? 0 : ::read(file, text, sizeof text);
  if (file >= 0) ::close(file);
  errno = saved;
  const std::string_view stat(text, static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string_view::npos || name_end + 2 >= stat.size()) return {};
  return parse(stat.substr(name_end + 2));
}

// A process that waits, dead, for its parent to ask after it.
bool is_zombie(char state) noexcept { return state == 'Z' || state == 'X'; }

bool has_id(std::uint32_t id) noexcept {
  const int saved = errno;
  const bool has = ::kill(static_cast<pid_t>(id), 0) == 0 || errno != ESRCH;
  errno = saved;
  return has;
}

// 0 where nothing is known.
std::uint32_t tag_of(std::uint64_t begin) noexcept {
  constexpr std::uint64_t kMost = (1U << (32 - kThreadIdBits)) - 1;
  return begin == 0 ? 0 : static_cast<std::uint32_t>(begin % kMost + 1);
}

}  // namespace

std::uint32_t internal::ask_owner() noexcept {
  const auto id = static_cast<std::uint32_t>(::gettid());
  return cached_owner = id | tag_of(stat_of(id).begin) << kThreadIdBits;
}

bool owner_exists(std::uint32_t owner) noexcept {
  const std::uint32_t id = thread_of(owner);
  if (id == 0 || !has_id(id)) return false;
  const Stat stat = stat_of(id);
  const std::uint32_t tag = tag_of(stat.begin);
  return !is_zombie(stat.state) && (tag == 0 || owner >> kThreadIdBits == 0 || tag == owner >> kThreadIdBits);
}

bool thread_exists(std::uint32_t id) noexcept {
  return id != 0 && id <= INT32_MAX && has_id(id) && !is_zombie(stat_of(id).state);
}

bool thread_is_stopped(std::uint32_t id) noexcept {
  const char state = stat_of(id).state;
  return state == 'T' || state == 't';
}

}  // namespace skep
