#include "runtime/epochs.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>
#include <thread>
#include <vector>

namespace skep::runtime {
namespace {

TEST(Epochs, GarbageWaitsForOpenSections) {
  Epochs epochs;
  std::weak_ptr<int> watched;
  {
    const Epochs::Section section(epochs);
    auto object = std::make_shared<int>(1);
    watched = object;
    epochs.retire(std::move(object));
    epochs.reclaim();
    EXPECT_FALSE(watched.expired());
    EXPECT_EQ(epochs.pending(), 1U);
  }
  epochs.reclaim();
  EXPECT_TRUE(watched.expired());
}

TEST(Epochs, WithoutSectionsGarbageGoesAtOnce) {
  Epochs epochs;
  epochs.retire(std::make_shared<int>(1));
  EXPECT_EQ(epochs.pending(), 0U);
}

TEST(Epochs, LaterSectionsDoNotKeepOlderGarbage) {
  Epochs epochs;
  std::optional<Epochs::Section> early(std::in_place, epochs);
  epochs.retire(std::make_shared<int>(1));
  std::atomic<bool> inside{false}, leave{false};
  std::thread later([&] {
    const Epochs::Section late(epochs);
    inside = true;
    inside.notify_one();
    leave.wait(false);
  });
  inside.wait(false);
  epochs.reclaim();
  EXPECT_EQ(epochs.pending(), 1U);
  early.reset();
  epochs.reclaim();
  epochs.reclaim();
  EXPECT_LE(epochs.pending(), 1U);
  leave = true;
  leave.notify_one();
  later.join();
  epochs.reclaim();
  EXPECT_EQ(epochs.pending(), 0U);
}

// A reader follows a pointer that a writer replaces and retires; what it reads must still be alive.
TEST(Epochs, ReadersNeverSeeWhatIsFreed) {
  struct Canary {
    explicit Canary(int v) : value(v) {}
    ~Canary() { value.store(-1); }
    std::atomic<int> value;
  };
  Epochs epochs;
  auto owner = std::make_shared<Canary>(0);
  std::atomic<Canary*> current{owner.get()};
  std::atomic<bool> stop{false};
  std::atomic<int> dead{0};
  std::thread reader([&] {
    while (!stop) {
      const Epochs::Section section(epochs);
      const Canary* seen = current.load();
      for (int i = 0; i < 10; ++i) dead += seen->value.load() < 0 ? 1 : 0;
    }
  });
  for (int i = 1; i < 3000; ++i) {
    auto next = std::make_shared<Canary>(i);
    current.store(next.get());
    epochs.retire(std::exchange(owner, std::move(next)));
  }
  stop = true;
  reader.join();
  EXPECT_EQ(dead, 0);
  epochs.reclaim();
  EXPECT_EQ(epochs.pending(), 0U);
}

// More threads than lines, each in its section: garbage waits for the last of them, whoever that is.
TEST(Epochs, AnyNumberOfThreads) {
  constexpr unsigned kThreads = 100;
  Epochs epochs;
  for (unsigned last : {0U, 63U, 99U}) {
    std::atomic<unsigned> inside{0};
    std::atomic<bool> leave{false}, last_leaves{false};
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < kThreads; ++i)
      threads.emplace_back([&, i] {
        const Epochs::Section section(epochs);
        ++inside;
        inside.notify_all();
        (i == last ? last_leaves : leave).wait(false);
      });
    for (unsigned now = 0; (now = inside.load()) < kThreads;) inside.wait(now);
    epochs.retire(std::make_shared<int>(1));
    leave = true;
    leave.notify_all();
    for (unsigned i = 0; i < kThreads; ++i)
      if (i != last) threads[i].join();
    epochs.reclaim();
    EXPECT_EQ(epochs.pending(), 1U) << last;
    last_leaves = true;
    last_leaves.notify_all();
    threads[last].join();
    epochs.reclaim();
    EXPECT_EQ(epochs.pending(), 0U) << last;
  }
}

TEST(Epochs, SectionsNestAndAForkedChildHasItsOwn) {
  Epochs epochs;
  const auto pending_within = [&] {
    const Epochs::Section outer(epochs);
    {
      const Epochs::Section inner(epochs);
    }
    epochs.retire(std::make_shared<int>(1));
    return epochs.pending();
  };
  EXPECT_EQ(pending_within(), 1U);
  epochs.reclaim();
  EXPECT_EQ(epochs.pending(), 0U);
  const pid_t child = ::fork();
  if (child == 0) {
    bool good = pending_within() == 1;
    epochs.reclaim();
    good = good && epochs.pending() == 0;
    ::_exit(good ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace skep::runtime
