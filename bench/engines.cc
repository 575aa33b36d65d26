#include "engines.h"

#include <algorithm>
#include <chrono>

#include "bytecode.h"
#include "exec/doors.h"
#include "exec/failure.h"
#include "exec/quiet_host.h"
#include "interp/interp.h"
#include "jit/jit.h"

extern "C" {
#define PROGRAM(name)                                       \
  std::uint64_t native_##name(void* memory, std::uint64_t); \
  void prepare_##name(void* memory, std::uint64_t);
#include "programs.def"
#undef PROGRAM
}

namespace skep::bench {
namespace {

// The programs call no helpers.
class NoBindings final : public exec::Bindings {
 public:
  maps::Map* map(spec::MapId) const override { return nullptr; }
  exec::HelperBody helper(std::uint32_t) const noexcept override { return nullptr; }
};

Result<std::uint64_t> run_on(const exec::Executable& executable, MutableBytes memory) {
  exec::QuietHost host;
  exec::Failure failure;
  exec::Call call{.host = host};
  call.program = &executable;
  call.context = memory.data();
  call.context_bytes = static_cast<std::uint32_t>(memory.size());
  call.failure = &failure;
  const std::uint64_t r0 = executable.run(call);
  if (call.stopped) return fail(EFAULT, failure.text());
  return r0;
}

}  // namespace

std::vector<Program> programs() {
  return {
#define PROGRAM(name) {#name, native_##name, prepare_##name},
#include "programs.def"
#undef PROGRAM
  };
}

Result<Runner> Runner::load(const Program& program) {
  Runner runner(program);
  exec::Source source;
  source.name = program.name;
  TRY(source.insns, read_bytecode(std::string(BENCH_OBJECTS "/") + program.name + ".bpf.o"));
  TRY(exec::Image made, exec::assume_verified(source, exec::ContextKind::Memory, "benchmark of our own"));
  const auto image = std::make_shared<const exec::Image>(std::move(made));
  runner.image_ = image;
  TRY(runner.compiled_, jit::bind(image, NoBindings()));
  TRY(runner.plain_, interp::bind(image, NoBindings(), interp::Policy::Plain));
  TRY(runner.checked_, interp::bind(image, NoBindings(), interp::Policy::Checked));
  return runner;
}

double Runner::compile_time() const {
  using Clock = std::chrono::steady_clock;
  std::array<double, 101> times;
  for (double& time : times) {
    const auto start = Clock::now();
    const auto compiled = jit::bind(image_, NoBindings());
    time = std::chrono::duration<double, std::nano>(Clock::now() - start).count();
  }
  std::ranges::nth_element(times, times.begin() + times.size() / 2);
  return times[times.size() / 2];
}

Result<std::uint64_t> Runner::run(Form form, MutableBytes memory) const {
  switch (form) {
    case Form::Native: return program_.native(memory.data(), memory.size());
    case Form::Compiled: return run_on(*compiled_, memory);
    case Form::Plain: return run_on(*plain_, memory);
    case Form::Checked: return run_on(*checked_, memory);
  }
  return fail(EINVAL, "no such form");
}

}  // namespace skep::bench
