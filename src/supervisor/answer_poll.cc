// poll(2), ppoll(2), select(2) and pselect(2) where a hive's descriptor is among what is waited for: each is read into
// what poll(2) asks, waited for in a thread of its own (supervisor/watch.h), and written as the call has it.
#include <sys/select.h>
#include <sys/time.h>

#include <array>
#include <cerrno>
#include <functional>

#include "supervisor/watch.h"

namespace skep::supervisor::answers {
namespace {

constexpr std::size_t kMostDescriptors = 1U << 16;

// Writes what was found into the caller's memory: the result of the call.
using Write = std::function<long(Waiting& caller, std::span<const pollfd> found, long count)>;

Answer wait(Call& call, std::vector<pollfd> asked, Watch::Deadline deadline, std::uint64_t mask, Write write) noexcept {
  const auto watch = std::make_shared<Watch>(call.reach, *call.caller, std::move(asked));
  if (!watch->is_needed()) return Answer::How::PassOn;
  return later(call, [=](Call& own) -> Answer {
    const long count = watch->wait(deadline, mask);
    return count < 0 ? count : write(*own.caller, watch->asked(), count);
  });
}

// ---- Times

Watch::Deadline in(std::chrono::nanoseconds time) noexcept {
  return Watch::Clock::now() + std::chrono::duration_cast<Watch::Clock::duration>(time);
}

struct Time {
  long result = 0;  // a negative errno
  Watch::Deadline deadline;
};

// timespec and timeval: seconds, and parts of which there are `parts` in one.
Time read_time(Waiting& caller, std::uint64_t address, std::int64_t parts) noexcept {
  if (address == 0) return {};
  const auto time = read<std::array<std::int64_t, 2>>(caller, address);
  if (!time) return {.result = -EFAULT, .deadline = {}};
  const auto [seconds, rest] = *time;
  // select(2) takes any number of microseconds; the others what is less than a second.
  if (seconds < 0 || rest < 0 || (parts == std::nano::den && rest >= parts)) return {.result = -EINVAL, .deadline = {}};
  constexpr std::int64_t kMost = 1'000'000'000;  // seconds
  if (seconds > kMost) return {};
  return {.result = 0,
          .deadline = in(std::chrono::seconds(seconds) + std::chrono::nanoseconds(rest * (std::nano::den / parts)))};
}

// What is left, as the kernel leaves it.
void write_time(Waiting& caller, std::uint64_t address, std::int64_t parts, Watch::Deadline deadline) noexcept {
  if (address == 0 || !deadline) return;
  const auto left = std::max(*deadline - Watch::Clock::now(), Watch::Clock::duration::zero());
  const std::int64_t nanoseconds = std::chrono::nanoseconds(left).count();
  const std::array words = {nanoseconds / std::nano::den, nanoseconds % std::nano::den / (std::nano::den / parts)};
  caller.copy_out(address, bytes_of(words));
}

std::uint64_t read_mask(Waiting& caller, std::uint64_t address) noexcept {
  return address == 0 ? 0 : read<std::uint64_t>(caller, address).value_or(0);
}

// ---- poll and ppoll

std::optional<std::vector<pollfd>> read_polls(Waiting& caller) {
  const std::uint64_t count = caller.argument(1);
  if (count > kMostDescriptors) return std::nullopt;
  std::vector<pollfd> polls(count);
  if (!caller.copy_in(caller.argument(0), std::as_writable_bytes(std::span(polls)))) return std::nullopt;
  return polls;
}

long write_polls(Waiting& caller, std::span<const pollfd> found, long count) noexcept {
  return caller.copy_out(caller.argument(0), std::as_bytes(found)) ? count : -EFAULT;
}

// ---- select and pselect: three sets of bits, of what can be read, written, and is urgent

constexpr unsigned kWordBits = 64;
struct Set {
  short asked, means;  // events
};
constexpr Set kSets[] = {{POLLIN | POLLRDNORM | POLLRDBAND, POLLIN | POLLRDNORM | POLLRDBAND | POLLHUP | POLLERR},
                         {POLLOUT | POLLWRNORM | POLLWRBAND, POLLOUT | POLLWRNORM | POLLWRBAND | POLLERR},
                         {POLLPRI, POLLPRI}};

std::size_t words_of(const Waiting& caller) noexcept {
  return (static_cast<std::size_t>(caller.word(0)) + kWordBits - 1) / kWordBits;
}

std::optional<std::vector<pollfd>> read_sets(Waiting& caller) {
  const int count = caller.word(0);
  if (count < 0 || static_cast<std::size_t>(count) > kMostDescriptors) return std::nullopt;
  std::vector<pollfd> polls(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < polls.size(); ++i) polls[i].fd = static_cast<int>(i);
  for (unsigned i = 0; i < std::size(kSets); ++i) {
    std::vector<std::uint64_t> words(words_of(caller));
    if (caller.argument(i + 1) == 0) continue;
    if (!caller.copy_in(caller.argument(i + 1), std::as_writable_bytes(std::span(words)))) return std::nullopt;
    for (pollfd& poll : polls)
      if ((words[static_cast<unsigned>(poll.fd) / kWordBits] >> (static_cast<unsigned>(poll.fd) % kWordBits) & 1) != 0)
        poll.events = static_cast<short>(poll.events | kSets[i].asked);
  }
  std::erase_if(polls, [](const pollfd& poll) { return poll.events == 0; });
  return polls;
}

long write_sets(Waiting& caller, std::span<const pollfd> found) {
  for (const pollfd& poll : found)
    if ((poll.revents & POLLNVAL) != 0) return -EBADF;
  long bits = 0;
  for (unsigned i = 0; i < std::size(kSets); ++i) {
    std::vector<std::uint64_t> words(words_of(caller));
    if (caller.argument(i + 1) == 0) continue;
    for (const pollfd& poll : found) {
      if ((poll.events & kSets[i].asked) == 0 || (poll.revents & kSets[i].means) == 0) continue;
      words[static_cast<unsigned>(poll.fd) / kWordBits] |= std::uint64_t{1}
                                                           << (static_cast<unsigned>(poll.fd) % kWordBits);
      ++bits;
    }
    if (!caller.copy_out(caller.argument(i + 1), std::as_bytes(std::span(words)))) return -EFAULT;
  }
  return bits;
}

Answer wait_on_sets(Call& call, std::int64_t parts, std::uint64_t mask) noexcept {
  Waiting& caller = *call.caller;
  std::optional<std::vector<pollfd>> polls = read_sets(caller);
  const Time time = read_time(caller, caller.argument(4), parts);
  if (!polls || time.result != 0) return Answer::How::PassOn;  // the kernel says what is wrong
  return wait(call, *std::move(polls), time.deadline, mask,
              [parts, deadline = time.deadline](Waiting& waiting, std::span<const pollfd> found, long) {
                write_time(waiting, waiting.argument(4), parts, deadline);
                return write_sets(waiting, found);
              });
}

}  // namespace

Answer wait_on_poll(Call& call) noexcept {
  Waiting& caller = *call.caller;
  std::optional<std::vector<pollfd>> polls = read_polls(caller);
  if (!polls) return Answer::How::PassOn;
  const Watch::Deadline deadline = caller.word(2) < 0 ? std::nullopt : in(std::chrono::milliseconds(caller.word(2)));
  return wait(call, *std::move(polls), deadline, 0, write_polls);
}

Answer wait_on_ppoll(Call& call) noexcept {
  Waiting& caller = *call.caller;
  std::optional<std::vector<pollfd>> polls = read_polls(caller);
  const Time time = read_time(caller, caller.argument(2), std::nano::den);
  if (!polls || time.result != 0) return Answer::How::PassOn;
  return wait(call, *std::move(polls), time.deadline, read_mask(caller, caller.argument(3)),
              [deadline = time.deadline](Waiting& waiting, std::span<const pollfd> found, long count) {
                write_time(waiting, waiting.argument(2), std::nano::den, deadline);
                return write_polls(waiting, found, count);
              });
}

Answer wait_on_select(Call& call) noexcept { return wait_on_sets(call, std::micro::den, 0); }

Answer wait_on_pselect(Call& call) noexcept {
  const std::uint64_t packed = call.caller->argument(5);  // the mask's address and length
  const std::uint64_t mask = packed == 0 ? 0 : read<std::uint64_t>(*call.caller, packed).value_or(0);
  return wait_on_sets(call, std::nano::den, read_mask(*call.caller, mask));
}

}  // namespace skep::supervisor::answers
