// A hive whose engine compiles: what becomes of code when programs come and go in many threads and across forks, and
// what happens where there can be none.
#include <sys/resource.h>
#include <sys/wait.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "base/sanitized.h"
#include "hive/testing.h"
#include "jit/jit.h"

namespace skep::hive::testing {
namespace {

using spec::Command;
using spec::MapType;
using spec::ProgType;

// What a program says to a packet of zeros; negative where the run fails.
long said(Bpf& bpf, long prog, std::uint32_t repeat = 1) {
  std::array<std::byte, 64> packet{};
  spec::Attr attr{};
  attr.test.prog_fd = static_cast<std::uint32_t>(prog);
  attr.test.data_in = address(packet.data());
  attr.test.data_size_in = packet.size();
  attr.test.repeat = repeat;
  const long error = bpf(Command::ProgTestRun, attr);
  return error != 0 ? error : attr.test.retval;
}

// Tail-calls slot 0; 1 where that is empty. Some code in front, so that blocks differ in size.
Code calling(long programs, int padding) {
  Code code;
  for (int i = 0; i < padding; ++i) code.push_back(mov(0, i));
  return code + ld_imm64(2, 1, static_cast<int>(programs)) + Code{mov(3, 0), call_helper(12), mov(0, 1), exit_insn()};
}

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

// The thread sanitizer cannot follow a fork in the middle of other threads' work.
#if defined(__SANITIZE_THREAD__)
constexpr bool kForks = false;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
constexpr bool kForks = false;
#else
constexpr bool kForks = true;
#endif
#else
constexpr bool kForks = true;
#endif

int seconds() {
  const char* text = std::getenv("SKEP_STRESS_SECONDS");
  return text != nullptr ? std::atoi(text) : 2;
}

TEST(Jit, ProgramsComeAndGoInManyThreadsAcrossForks) {
  if (!jit::available()) GTEST_SKIP() << jit::available().error().message;
  auto hive = std::move(*Hive::create({.engine = Engine::Jit}));
  Shared bpf(*hive);
  Fds fds;
  const long programs = fds.keep(create_map(bpf, {.type = MapType::ProgArray, .value = 4}));
  std::atomic<bool> done{false};
  std::atomic<int> failures{0}, runs{0};
  std::vector<std::thread> threads;
  for (int who = 0; who < 8; ++who)
    threads.emplace_back([&, who] {
      for (int i = 0; !done; ++i) {
        const int value = 2 + (who * 1000 + i) % 1000;
        const long own = load_prog(bpf, ProgType::Xdp, return_value(value));
        const long caller = load_prog(bpf, ProgType::Xdp, calling(programs, (who + i) % 50));
        if (own < 0 || caller < 0 || said(bpf, own) != value) ++failures;
        if (who < 2 && update(bpf, programs, 0U, static_cast<int>(own)) != 0) ++failures;
        if (said(bpf, caller, 3) < 1) ++failures;
        ::close(static_cast<int>(own));
        ::close(static_cast<int>(caller));
        ++runs;
      }
    });
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds());
  while (std::chrono::steady_clock::now() < end) {
    if (!kForks) continue;
    const pid_t child = ::fork();
    if (child == 0) {
      // a hive of its own: other threads may have been inside the parent's
      auto own = std::move(*Hive::create({.engine = Engine::Jit}));
      Shared here(*own);
      bool good = true;
      for (int i = 2; i < 50; ++i) {
        const long prog = load_prog(here, ProgType::Xdp, return_value(i));
        good = good && said(here, prog) == i;
        ::close(static_cast<int>(prog));
      }
      ::_exit(good ? 0 : 1);
    }
    int status = -1;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  done = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 0) << Hive::last_error();
  EXPECT_GT(runs, 8);
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
