#include "base/barrier.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

namespace skep {
namespace {

// In each round two threads write their own word and read the other's, at about the same time: one of them at least
// must see the other's.
void agree(Reach reach) {
  if (!barriers_arrive(reach)) GTEST_SKIP() << "membarrier(2) is not to be had here";
  constexpr int kRounds = 20000;
  struct alignas(64) Word {
    std::atomic<int> value{-1};
  };
  Word often, rare, started, often_saw;
  std::thread thread([&] {
    for (int round = 0; round < kRounds; ++round) {
      while (started.value.load(std::memory_order_acquire) < round) {
      }
      often.value.store(round, std::memory_order_relaxed);
      order_for_others();
      const bool saw = rare.value.load(std::memory_order_relaxed) == round;
      often_saw.value.store(2 * round + (saw ? 1 : 0), std::memory_order_release);
    }
  });
  int missed = 0, refused = 0;
  for (int round = 0; round < kRounds; ++round) {
    started.value.store(round, std::memory_order_release);
    for (int i = 0; i < round % 150; ++i) asm volatile("");
    rare.value.store(round, std::memory_order_relaxed);
    refused += barrier_in_all(reach) ? 0 : 1;
    const bool saw = often.value.load(std::memory_order_relaxed) == round;
    int other = 0;
    while ((other = often_saw.value.load(std::memory_order_acquire)) < 2 * round) std::this_thread::yield();
    missed += saw || other == 2 * round + 1 ? 0 : 1;
  }
  thread.join();
  EXPECT_EQ(missed, 0);
  EXPECT_EQ(refused, 0);
}

TEST(Barrier, ReachesThreadsOfTheProcess) { agree(Reach::Process); }
TEST(Barrier, ReachesThreadsOfProcessesThatAskedForIt) { agree(Reach::Machine); }

TEST(Barrier, AnotherProcessAsksForItself) {
  if (!barriers_arrive(Reach::Process)) GTEST_SKIP() << "membarrier(2) is not to be had here";
  const pid_t child = ::fork();
  if (child == 0) ::_exit(barriers_arrive(Reach::Process) && barrier_in_all(Reach::Process) ? 0 : 1);
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace skep
