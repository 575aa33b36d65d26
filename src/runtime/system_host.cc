#include "runtime/system_host.h"

#include <sys/prctl.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/thread.h"
#include "base/user.h"

namespace skep::runtime {
namespace {

std::uint64_t nanoseconds(clockid_t clock) noexcept {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
}

// Jiffies as most kernels count them: 250 a second, from an origin five minutes before boot.
constexpr std::uint64_t kHertz = 250;
constexpr std::uint64_t kInitialJiffies = (std::uint64_t{1} << 32) - 300 * kHertz;

std::uint64_t seed() noexcept {
  std::uint64_t value = 0;
  if (::getrandom(&value, sizeof value, 0) != sizeof value) value = nanoseconds(CLOCK_MONOTONIC) ^ thread_id();
  return value;
}

}  // namespace

std::uint64_t SystemHost::now(exec::Clock clock) noexcept {
  const std::uint64_t now = nanoseconds(exec::system_clock(clock));
  return clock == exec::Clock::Jiffies ? kInitialJiffies + now / (1'000'000'000U / kHertz) : now;
}

exec::ClockReader SystemHost::clock_reader() noexcept { return &::clock_gettime; }

// One per thread, seeded by the system: programs ask for randomness per packet.
exec::Generator* SystemHost::generator() noexcept {
  thread_local constinit exec::Generator generator = {};  // no guard to ask at each call
  if (generator.state == 0) [[unlikely]]
    generator.state = seed();
  return &generator;
}

std::uint64_t SystemHost::pid_tgid() noexcept { return static_cast<std::uint64_t>(::getpid()) << 32 | thread_id(); }

std::uint64_t SystemHost::uid_gid() noexcept { return std::uint64_t{real_group()} << 32 | real_user(); }

void SystemHost::comm(char (&name)[16]) noexcept {
  name[0] = '\0';
  ::prctl(PR_GET_NAME, name);
  name[15] = '\0';
}

void SystemHost::trace(std::string_view line) noexcept {
  if (trace_sink_) return trace_sink_(line);
  const std::scoped_lock lock(mutex_);
  lines_.emplace_back(line);
  bytes_ += line.size();
  for (; bytes_ > kTraceBytes && lines_.size() > 1; ++lost_) {
    bytes_ -= lines_.front().size();
    lines_.pop_front();
  }
}

SystemHost::Trace SystemHost::read_trace() {
  const std::scoped_lock lock(mutex_);
  Trace trace{.text = {}, .lost = std::exchange(lost_, 0)};
  trace.text.reserve(std::exchange(bytes_, 0));
  for (const std::string& line : lines_) trace.text += line;
  lines_.clear();
  return trace;
}

int SystemHost::perf_event(maps::Map& map, std::uint64_t index, Bytes record) noexcept {
  return perf_sink_ ? perf_sink_(map, index, record) : -ENOENT;
}

int SystemHost::clone_to(std::uint32_t ifindex, bool ingress, Bytes packet) noexcept {
  return clone_sink_ ? clone_sink_(ifindex, ingress, packet) : -EINVAL;
}

const exec::Executable* SystemHost::program(maps::Reference) noexcept { return nullptr; }
maps::Map* SystemHost::map(maps::Reference) noexcept { return nullptr; }

}  // namespace skep::runtime
