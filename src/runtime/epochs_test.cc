#include "runtime/epochs.h"

#include <gtest/gtest.h>

#include <optional>
#include <thread>

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
  const Epochs::Section late(epochs);
  early.reset();
  epochs.reclaim();
  epochs.reclaim();
  EXPECT_LE(epochs.pending(), 1U);
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

}  // namespace
}  // namespace skep::runtime
