#include "runtime/run.h"

#include <time.h>

#include <optional>

#include "helpers/bodies.h"

namespace skep::runtime {
namespace {

std::uint64_t monotonic() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
}

std::uint64_t enter(const exec::Executable& code, exec::Call& call) noexcept {
  const std::uint64_t result = code.run(call);
  if (!call.reservations.empty() || call.allocated != nullptr) [[unlikely]]
    helpers::abandon(call);
  return result;
}

}  // namespace

std::uint64_t run(Surroundings& surroundings, const exec::Executable& code, exec::Call& call,
                  Counters& counters) noexcept {
  const Epochs::Section section(surroundings.epochs);
  std::optional<maps::Cpu> cpu;
  if (code.image().uses_cpu) call.cpu = cpu.emplace(surroundings.domain).number();
  call.program = &code;
  if (surroundings.statistics.load(std::memory_order_relaxed) == 0) return enter(code, call);
  const std::uint64_t start = monotonic();
  const std::uint64_t result = enter(code, call);
  counters.nanoseconds.fetch_add(monotonic() - start, std::memory_order_relaxed);
  counters.runs.fetch_add(1, std::memory_order_relaxed);
  return result;
}

}  // namespace skep::runtime
