#include "maps/bias.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>
#include <vector>

#include "maps/domain.h"
#include "maps/map.h"

namespace skep::maps {
namespace {

constexpr int kEnough = 200;  // times that a thread takes a lock until it surely has the bias

struct Shared {
  BiasedLock lock;
  std::uint64_t count;
};

// Memory that children share.
Shared& shared() {
  void* const at = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return *new (at) Shared{};
}

void add_one(Shared& to) {
  const BiasedGuard guard(to.lock);
  ASSERT_TRUE(guard);
  to.count = to.count + 1;
}

class Biases : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!barriers_arrive(Reach::Machine)) GTEST_SKIP() << "membarrier(2) is not to be had here";
  }
  Shared& all = shared();
};

TEST_F(Biases, AreOfThoseWhoTakeALockOverAndOver) {
  for (int i = 0; i < kEnough; ++i) add_one(all);
  EXPECT_EQ(all.lock.bias.owner, this_owner());
  const BiasedGuard guard(all.lock);
  EXPECT_EQ(all.lock.bias.whoever_is_inside(), this_owner());
  EXPECT_EQ(all.lock.word, 0U);
  EXPECT_FALSE(BiasedGuard(all.lock)) << "within a signal handler";
}

TEST_F(Biases, EndWhenAnotherComes) {
  for (int i = 0; i < kEnough; ++i) add_one(all);
  std::thread([&] { add_one(all); }).join();
  EXPECT_EQ(all.lock.bias.owner, 0U);
  for (int i = 0; i < static_cast<int>(Bias::kStreak); ++i) add_one(all);
  EXPECT_EQ(all.lock.bias.owner, 0U) << "not so soon again";
  for (int i = 0; i < kEnough; ++i) add_one(all);
  EXPECT_EQ(all.lock.bias.owner, this_owner());
}

// Plain additions are exact only if one is at it at a time, however they came in.
TEST_F(Biases, NobodyMeetsTheOwner) {
  constexpr std::uint64_t kVisits = 3'000;
  std::atomic<bool> stop{false};
  std::uint64_t owners = 0;
  std::thread owner([&] {
    for (; !stop.load(std::memory_order_relaxed); ++owners) {
      add_one(all);
      set(all.lock.bias.ended, 0U);  // so that it is granted again soon
    }
  });
  for (std::uint64_t i = 0; i < kVisits; ++i) {
    while (get(all.lock.bias.owner) == 0) std::this_thread::yield();
    for (std::uint64_t n = 0; n < i % 256; ++n) asm volatile("");
    add_one(all);
  }
  stop = true;
  owner.join();
  EXPECT_EQ(all.count, owners + kVisits);
}

// Many threads, with turns of their own.
TEST_F(Biases, AreHandedOn) {
  constexpr int kThreads = 4, kTurns = 60, kInARow = 300;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i)
    threads.emplace_back([&] {
      for (int turn = 0; turn < kTurns; ++turn) {
        for (int n = 0; n < kInARow; ++n) add_one(all);
        std::this_thread::yield();
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(all.count, std::uint64_t{kThreads} * kTurns * kInARow);
}

TEST_F(Biases, AnOwnerWhoDiesInsideIsSucceeded) {
  const pid_t child = ::fork();
  if (child == 0) {
    for (int i = 0; i < kEnough; ++i) add_one(all);
    const BiasedGuard guard(all.lock);
    ::_exit(all.lock.bias.is_inside(this_owner()) ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  ASSERT_EQ(thread_of(all.lock.bias.whoever_is_inside()), static_cast<std::uint32_t>(child));
  add_one(all);
  EXPECT_EQ(all.count, std::uint64_t{kEnough} + 1);
  EXPECT_EQ(all.lock.bias.owner, 0U);
}

TEST_F(Biases, ScribbledOnesDoNotStopIt) {
  for (const std::uint32_t noise : {0xa5a5a5a5U, 0x7fffffffU, 0xffc00000U}) {
    Bias scribbled{noise, noise, noise, noise, {}, {noise, noise, noise, noise}};
    all.lock = {.word = 0, .bias = scribbled};
    add_one(all);
    scribbled.inside[0] = scribbled.inside[3] = 0x7ffffff0U;
    all.lock = {.word = 0, .bias = scribbled};
    add_one(all);
  }
  EXPECT_EQ(all.count, 6U);
}

// The same for slots of a domain: whoever had one all the time goes by the lock, and loses it to whoever needs it.
TEST_F(Biases, OfLeases) {
  auto domain = Domain::create();
  ASSERT_TRUE(domain);
  const unsigned cpus = (*domain)->cpus();
  std::vector<std::uint64_t> counters(cpus);
  const auto add = [&](int times) {
    for (int i = 0; i < times; ++i) {
      const Cpu cpu(**domain);
      counters[cpu.number()] = counters[cpu.number()] + 1;
    }
  };
  add(kEnough);
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < 2 * cpus + 1; ++i)
    threads.emplace_back([&] {
      for (int turn = 0; turn < 40; ++turn) {
        add(kEnough);
        std::this_thread::yield();
      }
    });
  for (std::thread& thread : threads) thread.join();
  std::uint64_t sum = 0;
  for (const std::uint64_t counter : counters) sum += counter;
  EXPECT_EQ(sum, std::uint64_t{kEnough} * (1 + 40 * (2 * cpus + 1)));
}

// Tables change hands between threads that each have them to themselves for a while: elements and their count agree.
TEST_F(Biases, OfTables) {
  constexpr std::uint64_t kThreads = 3, kTurns = 400, kInARow = 1500, kEntries = 64;
  auto domain = Domain::create();
  ASSERT_TRUE(domain);
  auto map = Map::create(
      **domain, {.type = spec::MapType::Hash, .key_size = 8, .value_size = 8, .max_entries = kEntries}, spec::MapId{1});
  ASSERT_TRUE(map);
  auto& bias = *reinterpret_cast<Bias*>((*map)->habits().data());
  const auto bytes = [](const std::uint64_t& number) { return reinterpret_cast<const std::byte*>(&number); };
  std::atomic<std::uint64_t> granted{0};
  std::vector<std::thread> threads;
  for (std::uint64_t i = 0; i < kThreads; ++i)
    threads.emplace_back([&, i] {
      for (std::uint64_t turn = 0; turn < kTurns; ++turn) {
        for (std::uint64_t n = 0; n < kInARow; ++n) {
          const std::uint64_t key = i * 100 + n % 20;
          EXPECT_EQ((*map)->update(bytes(key), bytes(key), 0, 0), 0);
          EXPECT_EQ((*map)->erase(bytes(key)), 0);
        }
        granted += get(bias.owner) == this_owner() ? 1 : 0;
        set(bias.ended, 0U);  // so that biases go on to be granted
        std::this_thread::yield();
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(granted, 0U);
  std::uint64_t added = 0;
  while (added < 2 * kEntries && (*map)->update(bytes(added), bytes(added), 0, 0) == 0) ++added;
  EXPECT_EQ(added, kEntries) << "all are gone, and counted so";
}

TEST_F(Biases, OfLeasesWhoseHoldersDied) {
  auto domain = Domain::create();
  ASSERT_TRUE(domain);
  for (unsigned i = 0; i < (*domain)->cpus(); ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      for (int n = 0; n < kEnough; ++n) const Cpu cpu(**domain);
      (void)(*domain)->take_cpu();
      ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
  }
  for (int n = 0; n < kEnough; ++n) EXPECT_LT(Cpu(**domain).number(), (*domain)->cpus());
}

}  // namespace
}  // namespace skep::maps
