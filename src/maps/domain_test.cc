#include "maps/domain.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "base/cpus.h"

namespace skep::maps {
namespace {

std::unique_ptr<Domain> new_domain() {
  auto domain = Domain::create();
  EXPECT_TRUE(domain) << domain.error().message;
  return *std::move(domain);
}

TEST(Domain, HasASlotForEveryPossibleCpu) {
  const auto domain = new_domain();
  EXPECT_EQ(domain->cpus(), possible_cpus());
}

TEST(Domain, NestedLeasesShareTheThreadsSlot) {
  const auto domain = new_domain();
  const Cpu outer(*domain);
  {
    const Cpu inner(*domain);
    EXPECT_EQ(inner.number(), outer.number());
  }
  const Cpu again(*domain);
  EXPECT_EQ(again.number(), outer.number());
}

TEST(Domain, DomainsDoNotDisturbEachOther) {
  const auto one = new_domain();
  const auto other = new_domain();
  const Cpu first(*one);
  const Cpu second(*other);
  const Cpu third(*one);
  EXPECT_EQ(third.number(), first.number());
  EXPECT_LT(second.number(), other->cpus());
}

TEST(Domain, AThreadMayHoldLeasesOfManyDomains) {
  std::vector<std::unique_ptr<Domain>> domains;
  std::vector<unsigned> slots;
  for (int i = 0; i < 12; ++i) {
    domains.push_back(new_domain());
    slots.push_back(domains.back()->take_cpu());
  }
  for (std::size_t i = 0; i < domains.size(); ++i) EXPECT_EQ(Cpu(*domains[i]).number(), slots[i]) << "nested";
  for (const auto& domain : domains) domain->give_cpu();
  std::thread([&] {  // all slots are free again: nobody waits
    for (const auto& domain : domains)
      for (unsigned slot = 0; slot < domain->cpus(); ++slot) EXPECT_LT(Cpu(*domain).number(), domain->cpus());
  })
      .join();
}

// More threads than CPUs: a slot's plain counter is exact only if one thread at a time has it.
TEST(Domain, NobodyElseHasTheSlot) {
  const auto domain = new_domain();
  std::vector<std::uint64_t> counters(domain->cpus());
  std::vector<std::thread> threads;
  constexpr int kThreads = 8;
  constexpr int kRounds = 20000;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < kRounds; ++i) {
        const Cpu cpu(*domain);
        counters[cpu.number()] = counters[cpu.number()] + 1;
      }
    });
  for (auto& thread : threads) thread.join();
  std::uint64_t sum = 0;
  for (const std::uint64_t counter : counters) sum += counter;
  EXPECT_EQ(sum, std::uint64_t{kThreads} * kRounds);
}

TEST(Domain, GivesTheCpuThatIsPreferredIfItIsFree) {
  const auto domain = new_domain();
  for (unsigned cpu = 0; cpu < domain->cpus(); ++cpu) {
    Domain::prefer_cpu(cpu);
    EXPECT_EQ(Cpu(*domain).number(), cpu);
  }
  if (domain->cpus() > 1) {
    Domain::prefer_cpu(1);
    const Cpu one(*domain);
    std::thread([&] {
      Domain::prefer_cpu(1);
      EXPECT_NE(Cpu(*domain).number(), 1U);
    }).join();
  }
  Domain::prefer_cpu(domain->cpus());
  EXPECT_LT(Cpu(*domain).number(), domain->cpus());
}

TEST(Domain, ASlotWhoseHolderDiedIsTakenOver) {
  const auto domain = new_domain();
  for (unsigned i = 0; i < domain->cpus(); ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      (void)domain->take_cpu();
      ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
  }
  const Cpu cpu(*domain);
  EXPECT_LT(cpu.number(), domain->cpus());
}

// All slots' holders are stopped; one is succeeded, and gives back nothing of its successor's when it goes on.
TEST(Domain, AStoppedHolderIsSucceeded) {
  const auto domain = new_domain();
  int held[2], go_on[2];
  ASSERT_EQ(::pipe(held), 0);
  ASSERT_EQ(::pipe(go_on), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    std::vector<std::thread> holders;
    for (unsigned i = 0; i < domain->cpus(); ++i)
      holders.emplace_back([&] {
        const Cpu cpu(*domain);
        char byte = 'x';
        if (::write(held[1], &byte, 1) != 1 || ::read(go_on[0], &byte, 1) != 1) ::_exit(1);
      });
    for (auto& holder : holders) holder.join();
    ::_exit(0);
  }
  for (unsigned i = 0; i < domain->cpus(); ++i) {
    char byte = 0;
    ASSERT_EQ(::read(held[0], &byte, 1), 1);
  }
  ::kill(child, SIGSTOP);
  const Cpu cpu(*domain);
  ::kill(child, SIGCONT);
  for (unsigned i = 0; i < domain->cpus(); ++i) ASSERT_EQ(::write(go_on[1], "x", 1), 1);
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  if (domain->cpus() > 1) std::thread([&] { EXPECT_NE(Cpu(*domain).number(), cpu.number()); }).join();
  EXPECT_EQ(Cpu(*domain).number(), cpu.number());
  for (const int fd : {held[0], held[1], go_on[0], go_on[1]}) ::close(fd);
}

// However long it takes, and however many others are quicker.
TEST(Domain, ALivingHolderIsWaitedFor) {
  const auto domain = new_domain();
  std::atomic<bool> given{false};
  std::vector<std::thread> holders;
  std::atomic<unsigned> held{0};
  for (unsigned i = 0; i < domain->cpus(); ++i)
    holders.emplace_back([&] {
      const Cpu cpu(*domain);
      ++held;
      while (held < domain->cpus()) std::this_thread::yield();
      std::this_thread::sleep_for(std::chrono::milliseconds(1500));
      given = true;
    });
  while (held < domain->cpus()) std::this_thread::yield();
  {
    const Cpu cpu(*domain);
    EXPECT_TRUE(given);
  }
  for (auto& holder : holders) holder.join();
}

TEST(Domain, AForkedChildGetsItsOwnSlot) {
  const auto domain = new_domain();
  if (domain->cpus() < 2) GTEST_SKIP() << "one CPU";
  const Cpu parent(*domain);
  const pid_t child = ::fork();
  if (child == 0) ::_exit(domain->take_cpu() != parent.number() ? 0 : 1);
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(Domain, OpensWhatCreateMadeAndNothingElse) {
  const auto domain = new_domain();
  const auto again = Domain::open(Fd(::dup(domain->memfd())));
  ASSERT_TRUE(again) << again.error().message;
  const Cpu cpu(*domain);
  EXPECT_EQ(Cpu(**again).number(), cpu.number()) << "the same region";

  EXPECT_FALSE(Domain::open(Fd(::open("/dev/null", O_RDWR))));
  Fd unsealed(::memfd_create("x", MFD_ALLOW_SEALING));
  EXPECT_FALSE(Domain::open(std::move(unsealed)));
  Fd small(::memfd_create("x", MFD_ALLOW_SEALING));
  ASSERT_EQ(::fcntl(small.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
  EXPECT_FALSE(Domain::open(std::move(small)));
}

TEST(Domain, ScribbledSlotsDoNotStopIt) {
  const auto domain = new_domain();
  const std::vector<std::uint8_t> noise(64 * (domain->cpus() + 1), 0xa5);
  ASSERT_GT(::pwrite(domain->memfd(), noise.data(), noise.size(), 16), 0);
  const Cpu cpu(*domain);
  EXPECT_LT(cpu.number(), domain->cpus());
}

}  // namespace
}  // namespace skep::maps
