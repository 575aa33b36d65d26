// A hive whose engine compiles: whose time programs read, what a forked child has of its parent's code, and what
// happens where there can be none. Programs that come and go in many threads across forks: tests/jit/forks_test.cc.
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/sanitized.h"
#include "hive/testing.h"
#include "jit/jit.h"

namespace skep::hive::testing {
namespace {

using spec::ProgType;

// Compiled programs read the system's clock themselves only where a hive's surroundings are the system's.
TEST(Jit, TheTimeIsThatOfTheHivesSurroundings) {
  if (!jit::available()) GTEST_SKIP() << jit::available().error().message;
  constexpr int kMilliseconds = 20;  // nearly
  const Code program = Code{call_helper(5), insn(0x77, 0, 0, 0, kMilliseconds), exit_insn()};
  struct : runtime::SystemHost {
    std::uint64_t now(exec::Clock) noexcept override { return std::uint64_t{1234} << kMilliseconds; }
  } stopped;
  for (exec::Host* const host : {static_cast<exec::Host*>(nullptr), static_cast<exec::Host*>(&stopped)}) {
    auto hive = std::move(*Hive::create({.engine = Engine::Jit, .host = host}));
    Shared bpf(*hive);
    Fds fds;
    const long prog = fds.keep(load_prog(bpf, ProgType::Xdp, program));
    const auto now = [&] { return hive->host().now(exec::Clock::Monotonic) >> kMilliseconds; };
    const std::uint64_t before = now();
    const auto shown = static_cast<std::uint64_t>(said(bpf, prog));
    EXPECT_TRUE(shown >= (before & UINT32_MAX) && shown <= (now() & UINT32_MAX)) << shown;
  }
}

TEST(Jit, AProgramOfTheParentRunsInTheChildAndStaysAsItIs) {
  if (!jit::available()) GTEST_SKIP() << jit::available().error().message;
  HiveBpf bpf({.engine = Engine::Jit});
  Fds fds;
  const long prog = fds.keep(load_prog(bpf, ProgType::Xdp, return_value(5)));
  EXPECT_EQ(said(bpf, prog), 5);
  const pid_t child = ::fork();
  if (child == 0) {
    bool good = said(bpf, prog) == 5;
    for (int i = 6; i < 20; ++i) {
      const long own = load_prog(bpf, ProgType::Xdp, return_value(i));
      good = good && said(bpf, own) == i;
    }
    ::_exit(good ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(said(bpf, prog), 5);
}

// No room for an arena, in a child that has none yet: libc knows nothing of it.
TEST(Jit, WhereThereCanBeNoCodeTheInterpreterRunsAndSaysSo) {
  if (kHosted) GTEST_SKIP() << "it is not the child that compiles";
  if (SKEP_SANITIZED) GTEST_SKIP() << "sanitizers need the address space";
  HiveBpf bpf({.engine = Engine::Jit});
  const auto child = static_cast<pid_t>(::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr));
  if (child == 0) {
    std::ifstream status("/proc/self/statm");
    std::uint64_t pages = 0;
    status >> pages;
    const rlimit limit{pages * 4096 + (std::uint64_t{32} << 20), RLIM_INFINITY};
    ::setrlimit(RLIMIT_AS, &limit);
    const long prog = load_prog(bpf, ProgType::Xdp, return_value(5));
    const auto code = bpf.hive->program(static_cast<int>(prog));
    const bool told = code && code->note.starts_with("interpreted, not compiled: executable memory is not to be had");
    ::_exit(told && said(bpf, prog) == 5 ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace skep::hive::testing
