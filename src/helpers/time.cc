// Clocks, as the host tells them.
#include "helpers/subjects.h"

namespace skep::helpers {

namespace {

using exec::Clock;

std::uint64_t ktime_get_ns(Call& call) noexcept { return call.host.now(Clock::Monotonic); }
std::uint64_t ktime_get_boot_ns(Call& call) noexcept { return call.host.now(Clock::Boot); }
std::uint64_t ktime_get_coarse_ns(Call& call) noexcept { return call.host.now(Clock::Coarse); }
std::uint64_t ktime_get_tai_ns(Call& call) noexcept { return call.host.now(Clock::Tai); }
std::uint64_t jiffies64(Call& call) noexcept { return call.host.now(Clock::Jiffies); }

}  // namespace

std::span<const Binding> time_bindings() noexcept {
  static constexpr Binding rows[] = {
      SKEP_BIND(ktime_get_ns),     SKEP_BIND(ktime_get_boot_ns), SKEP_BIND(ktime_get_coarse_ns),
      SKEP_BIND(ktime_get_tai_ns), SKEP_BIND(jiffies64),
  };
  return rows;
}

}  // namespace skep::helpers
