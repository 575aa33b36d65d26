// libskep-preload.so: poll(2), ppoll(2) and select(2) of a preloaded program.
//
// What is about none of a hive's descriptors goes to the kernel past the filter of `skep exec`, which costs a look at
// each of them; the rest the filter catches, and the supervisor waits as it does for all programs (supervisor/watch.h).
// Like libc's, these are points where a thread may be cancelled. Tested by: tests/exec.
#include <poll.h>
#include <pthread.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "abi/libc_syscall.h"
#include "base/bytes.h"
#include "hive/caller.h"
#include "hive/descriptor.h"

namespace skep::abi {
namespace {

bool is_hives(int fd) noexcept {
  const std::int64_t position = fd < 0 ? -1 : ::lseek(fd, 0, SEEK_CUR);
  return hive::from_position(position).has_value() || hive::is_event(position);
}

// Whether something that is waited for is a hive's; also where the caller's memory cannot be read.
template <class Element, class Asks>
bool any_of(const Element* at, std::size_t count, Asks asks) noexcept {
  std::array<Element, 32> part{};
  hive::LocalCaller caller;
  for (std::size_t done = 0; done < count;) {
    const auto now = std::span(part).first(std::min(part.size(), count - done));
    if (!caller.copy_in(reinterpret_cast<std::uintptr_t>(at + done), std::as_writable_bytes(now))) return true;
    for (std::size_t i = 0; i < now.size(); ++i)
      if (asks(now[i], done + i)) return true;
    done += now.size();
  }
  return false;
}

bool asks_hive(const pollfd* polls, nfds_t count) noexcept {
  const int before = errno;
  const bool asks = any_of(polls, count, [](const pollfd& poll, std::size_t) { return is_hives(poll.fd); });
  errno = before;
  return asks;
}

bool asks_hive(const fd_set* set, int count) noexcept {
  if (set == nullptr || count <= 0) return false;
  constexpr std::size_t kBits = 8 * sizeof(std::uint64_t);
  const int before = errno;
  const auto* words = reinterpret_cast<const std::uint64_t*>(set);
  const bool asks =
      any_of(words, (static_cast<std::size_t>(count) + kBits - 1) / kBits, [](std::uint64_t word, std::size_t index) {
        for (; word != 0; word &= word - 1)
          if (is_hives(static_cast<int>(index * kBits) + __builtin_ctzll(word))) return true;
        return false;
      });
  errno = before;
  return asks;
}

// With no destructor on the way: a thread that is cancelled here unwinds from the very instruction.
long wait(long number, const void* a, long b, const void* c, const void* d, const void* e, bool asks) {
  int before = 0;
  ::pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &before);
  const auto word = [](const void* at) { return static_cast<long>(reinterpret_cast<std::uintptr_t>(at)); };
  const long result = raw_syscall(number, word(a), b, word(c), word(d), word(e), asks ? 0 : kUnasked);
  ::pthread_setcanceltype(before, nullptr);
  return libc_result(result);
}

const void* number(long value) noexcept { return reinterpret_cast<const void*>(static_cast<std::uintptr_t>(value)); }

}  // namespace
}  // namespace skep::abi

#define SKEP_EXPORT extern "C" __attribute__((visibility("default")))

SKEP_EXPORT int poll(pollfd* polls, nfds_t count, int milliseconds) {
  using namespace skep::abi;
  return static_cast<int>(
      wait(SYS_poll, polls, static_cast<long>(count), number(milliseconds), nullptr, nullptr, asks_hive(polls, count)));
}

SKEP_EXPORT int ppoll(pollfd* polls, nfds_t count, const timespec* time, const sigset_t* mask) {
  using namespace skep::abi;
  timespec left{};  // the kernel writes what is left, libc's function does not show it
  if (time != nullptr) left = *time;
  return static_cast<int>(wait(SYS_ppoll, polls, static_cast<long>(count), time != nullptr ? &left : nullptr, mask,
                               number(sizeof(std::uint64_t)), asks_hive(polls, count)));
}

SKEP_EXPORT int select(int count, fd_set* in, fd_set* out, fd_set* urgent, timeval* time) {
  using namespace skep::abi;
  const bool asks = asks_hive(in, count) || asks_hive(out, count) || asks_hive(urgent, count);
  return static_cast<int>(wait(SYS_select, number(count), static_cast<long>(reinterpret_cast<std::uintptr_t>(in)), out,
                               urgent, time, asks));
}
