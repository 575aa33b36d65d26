// Programs that 8 threads load, run, replace and unload while the process forks: SKEP_STRESS_SECONDS of it, or 2.
// AddressSanitizer keeps freed memory in a quarantine whose lock a fork leaves as it was (its allocator's it takes care
// of): a child would wait for a thread that it does not have. So this program, and only this, has no quarantine.
#include <sys/wait.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "hive/testing.h"
#include "jit/jit.h"

extern "C" __attribute__((visibility("default"))) const char* __asan_default_options();
const char* __asan_default_options() { return "quarantine_size_mb=0:thread_local_quarantine_size_kb=0"; }

namespace skep::hive::testing {
namespace {

using spec::MapType;
using spec::ProgType;

// Tail-calls slot 0; 1 where that is empty. Some code in front, so that blocks differ in size.
Code calling(long programs, int padding) {
  Code code;
  for (int i = 0; i < padding; ++i) code.push_back(mov(0, i));
  return code + ld_imm64(2, 1, static_cast<int>(programs)) + Code{mov(3, 0), call_helper(12), mov(0, 1), exit_insn()};
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

TEST(Forks, ProgramsComeAndGoInManyThreads) {
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

}  // namespace
}  // namespace skep::hive::testing
