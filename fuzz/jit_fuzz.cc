// links: skep_runtime
// Programs made from the input's bytes, on the interpreter and compiled: the same result, the same bytes, with a budget
// and without.
#include <algorithm>
#include <array>
#include <cstdint>

#include "exec/doors.h"
#include "exec/quiet_host.h"
#include "exec/random_program.h"
#include "interp/interp.h"
#include "jit/jit.h"

namespace {

using namespace skep;
using exec::testing::RandomProgram;

class Helpers final : public exec::QuietHost, public exec::Bindings {
 public:
  using exec::QuietHost::map;
  maps::Map* map(spec::MapId) const override { return nullptr; }
  exec::HelperBody helper(std::uint32_t id) const noexcept override {
    if (id == exec::testing::kMixHelper) return exec::testing::mix_body;
    return id == exec::testing::kLoopHelper ? exec::testing::loop_body : nullptr;
  }
};

alignas(16) std::array<std::byte, RandomProgram::kBuffer> buffer;

struct Outcome {
  std::uint64_t r0 = 0;
  bool stopped = false;
  std::array<std::byte, RandomProgram::kBuffer> bytes{};
};

Outcome run(const exec::Executable& program, Helpers& helpers, std::uint64_t budget) {
  for (std::size_t i = 0; i < buffer.size(); ++i) buffer[i] = static_cast<std::byte>(i * 37);
  exec::Call call{helpers};
  call.program = &program;
  call.budget = budget;
  Outcome outcome;
  outcome.r0 = program.run(call);
  outcome.stopped = call.stopped;
  outcome.bytes = buffer;
  return outcome;
}

void require(bool condition) {
  if (!condition) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // The bytes as numbers, two at a time; behind them a generator goes on, so that short inputs make whole programs.
  std::size_t at = 0;
  std::uint32_t state = 1;
  const auto random = [&]() -> std::uint32_t {
    state = state * 1664525 + 1013904223;
    if (at + 1 >= size) return state >> 8;
    const std::uint32_t two = static_cast<std::uint32_t>(data[at]) | static_cast<std::uint32_t>(data[at + 1]) << 8;
    at += 2;
    return two ^ state << 16;
  };
  exec::Source source;
  source.name = "fuzzed";
  source.insns = RandomProgram(random, reinterpret_cast<std::uint64_t>(buffer.data())).make();
  auto made = exec::assume_verified(source, exec::ContextKind::Memory, "fuzzing");
  require(made.has_value());
  const auto image = std::make_shared<const exec::Image>(*std::move(made));
  Helpers helpers;
  const auto interpreted = interp::bind(image, helpers, interp::Policy::Plain);
  const auto compiled = jit::bind(image, helpers);
  if (!compiled) return 0;  // no executable memory here
  constexpr std::uint64_t kBudget = 20'000;
  const Outcome expected = run(**interpreted, helpers, kBudget);
  const Outcome counted = run(**compiled, helpers, kBudget);
  require(counted.stopped == expected.stopped);
  if (expected.stopped) return 0;
  const Outcome free = run(**compiled, helpers, 0);
  require(counted.r0 == expected.r0 && free.r0 == expected.r0 && !free.stopped);
  require(counted.bytes == expected.bytes && free.bytes == expected.bytes);
  return 0;
}
