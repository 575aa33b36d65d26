#include "maps/lock.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>
#include <vector>

#include "base/thread.h"

namespace skep::maps {
namespace {

TEST(Lock, OneAtATime) {
  std::uint32_t word = 0;
  std::uint64_t counter = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 20000; ++i) {
        const Guard guard(word);
        ASSERT_TRUE(guard);
        counter = counter + 1;
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(counter, 80000U);
  EXPECT_EQ(word, 0U);
}

TEST(Lock, FailsForItsOwner) {
  std::uint32_t word = 0;
  const Guard outer(word);
  EXPECT_TRUE(outer);
  EXPECT_EQ(word, this_owner());
  EXPECT_FALSE(Guard(word)) << "a signal handler that comes while its thread holds the lock";
  EXPECT_EQ(word, this_owner());
}

TEST(Lock, AnOwnerThatIsNoMoreIsSucceeded) {
  auto* word =
      static_cast<std::uint32_t*>(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  const pid_t child = ::fork();
  if (child == 0) ::_exit(lock(*word) == Locked::Yes ? 0 : 1);
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(thread_of(*word), static_cast<std::uint32_t>(child));
  EXPECT_FALSE(try_lock(*word)) << "asks nobody whether the owner lives";
  EXPECT_EQ(lock(*word), Locked::Inherited);
  EXPECT_EQ(*word, this_owner());
  ::munmap(word, 4096);
}

// Its id is another thread's by then: here the first one's, which lives.
TEST(Lock, AnOwnerWhoseIdIsUsedAgainIsSucceededAtOnce) {
  const std::uint32_t tag = this_owner() >> kThreadIdBits;
  if (tag == 0) GTEST_SKIP() << "nobody says when threads began";
  std::uint32_t word = thread_of(this_owner()) | (tag % 1023 + 1) << kThreadIdBits;
  std::uint32_t other = 0;
  std::thread([&] {
    EXPECT_EQ(lock(word), Locked::Inherited);
    other = this_owner();
  }).join();
  EXPECT_EQ(word, other);
}

TEST(Lock, ALivingOwnerIsWaitedForNotForever) {
  std::uint32_t word = static_cast<std::uint32_t>(::getppid());
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_FALSE(Guard(word));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
}

}  // namespace
}  // namespace skep::maps
