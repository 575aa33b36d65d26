// What LRU maps evict, and when: the running kernel's answers where no program marks elements as used, and with marks
// what Linux's test_lru_map expects of a map whose elements were taken in order.
#include <gtest/gtest.h>

#include <array>
#include <set>
#include <thread>
#include <vector>

#include "base/cpus.h"
#include "maps/local_free.h"
#include "maps/subjects.h"

namespace skep::maps {
namespace {

using enum spec::MapType;
using spec::MapSpec;
using Key = std::uint64_t;

std::byte* bytes(auto& object) noexcept { return reinterpret_cast<std::byte*>(&object); }

MapSpec of(spec::MapType type, std::uint32_t entries, std::uint32_t flags) {
  return {.type = type, .key_size = 8, .value_size = 8, .max_entries = entries, .flags = flags};
}

class LruTest : public testing::Test {
 protected:
  static constexpr std::uint32_t kFlags[] = {0, spec::kNoCommonLru};
  static constexpr spec::MapType kTypes[] = {LruHash, LruPercpuHash};

  template <class Do>
  static void for_each_kind(Do action) {
    for (const auto type : kTypes)
      for (const std::uint32_t flags : kFlags) {
        SCOPED_TRACE(std::string(name(type)) + (flags != 0 ? ", lists per CPU" : ""));
        action(type, flags);
      }
  }
  int put(Subject& map, Key key, std::uint64_t flags = 0) {
    value_.resize(map.value_size());
    return map.update(bytes(key), value_.data(), flags);
  }
  bool has(Subject& map, Key key) { return map.lookup(bytes(key), value_.data(), 0) == 0; }
  std::set<Key> keys(Subject& map, Key end) {
    std::set<Key> all;
    for (Key key = 0; key < end; ++key)
      if (has(map, key)) all.insert(key);
    return all;
  }
  std::unique_ptr<Domain> domain_ = *Domain::create();
  std::vector<std::byte> value_;
};

// On one CPU: new keys, keys that are there, and keys that are only asked for.
TEST_F(LruTest, EvictsWhatTheKernelEvictsWhenItDoes) {
  if (!Kernels::available()) GTEST_SKIP() << "the kernel cannot be asked here";
  std::thread([&] {
    stay_on_this_cpu();
    for_each_kind([&](spec::MapType type, std::uint32_t flags) {
      for (const std::uint32_t entries : {1U, 2U, 3U, 8U, 64U, 576U, 1000U}) {
        SCOPED_TRACE(entries);
        std::unique_ptr<Subject> ours, kernels;
        ASSERT_EQ(Ours::create(*domain_, of(type, entries, flags), ours), 0);
        ASSERT_EQ(Kernels::create(of(type, entries, flags), kernels), 0);
        for (Key key = 0; key < 4 * entries + 5; ++key) {
          for (const std::uint64_t flag : {spec::kExist, spec::kNoExist, spec::kNoExist})
            ASSERT_EQ(put(*ours, key, flag), put(*kernels, key, flag)) << key << ", flag " << flag;
          if (key % (entries / 16 + 1) != 0) continue;
          ASSERT_EQ(keys(*ours, key + 1), keys(*kernels, key + 1)) << "after " << key;
        }
      }
    });
  }).join();
}

// ---- With marks, which programs' look-ups leave

class MarkedLru : public LruTest {
 protected:
  void make(spec::MapType type, std::uint32_t entries, std::uint32_t flags) {
    map_ = *Map::create(*domain_, of(type, entries, flags), spec::MapId{1});
    value_.resize(map_->syscall_value_size());
  }
  void add(Key from, Key to) {
    for (Key key = from; key < to; ++key)
      ASSERT_EQ(map_->update(bytes(key), value_.data(), spec::kNoExist, 0), 0) << key;
  }
  void use(Key from, Key to) {
    for (Key key = from; key < to; ++key) ASSERT_NE(map_->lookup(bytes(key), 0), nullptr) << key;
  }
  // All of the keys from `from` up to `to`, or none of them.
  void expect(bool there, Key from, Key to) {
    for (Key key = from; key < to; ++key)
      ASSERT_EQ(map_->copy_value(bytes(key), value_.data(), 0), there ? 0 : -ENOENT) << key;
  }
  std::uint32_t for_target(std::uint32_t target) const { return target * domain_->cpus() * 2; }
  std::unique_ptr<Map> map_;
};

TEST_F(MarkedLru, UsedElementsStayWhenOthersCanGo) {
  for (const auto type : kTypes) {
    const std::uint32_t most = for_target(128);
    make(type, most + 64, 0);
    add(0, most);
    use(0, 64);
    add(most, 2 * Key{most});
    expect(true, 0, 64);
    expect(false, 64, most);
    expect(true, most, 2 * Key{most});
  }
}

TEST_F(MarkedLru, AnUpdateTakesElementsInAdvanceAndEvicts) {
  const std::uint32_t most = for_target(128);
  make(LruHash, most + 64, 0);
  add(0, most);
  Key oldest = 0;
  EXPECT_EQ(map_->update(bytes(oldest), value_.data(), spec::kExist, 0), -ENOENT) << "gone for 128 free ones";
  expect(false, 0, 64);
  expect(true, 64, most);
}

TEST_F(MarkedLru, OnlyWhatWasNotUsedGoes) {
  for (const auto type : kTypes) {
    const std::uint32_t target = 256 / domain_->cpus() / 2;
    const Key unused = target / 2;
    make(type, 256, 0);
    add(0, 256);
    use(0, 256 - unused);
    add(256, 256 + unused);
    expect(true, 0, 256 - unused);
    expect(false, 256 - unused, 256);
    expect(true, 256, 256 + unused);
  }
}

TEST_F(MarkedLru, EachCpuHasAShareOfItsOwn) {
  for (const auto type : kTypes) {
    make(type, 8 * domain_->cpus(), spec::kNoCommonLru);
    add(0, 4);
    for (Key key = 4; key < 8; ++key) {
      use(0, 4);
      add(key, key + 1);
    }
    add(8, 12);
    expect(true, 0, 4);
    expect(false, 4, 8);
    expect(true, 8, 12);
    if (domain_->cpus() == 1) continue;
    Key key = 100;
    for (; key < 108; ++key) ASSERT_EQ(map_->update(bytes(key), value_.data(), 0, 1), 0);
    expect(true, 0, 4);
    expect(true, 100, 108);
  }
}

// What one CPU took in advance is another's when there is nothing else.
TEST_F(MarkedLru, OneElementForAllCpus) {
  for (const auto type : kTypes) {
    make(type, 1, 0);
    for (unsigned cpu = 0; cpu < domain_->cpus(); ++cpu) {
      Key key = cpu;
      ASSERT_EQ(map_->update(bytes(key), value_.data(), 0, cpu), 0);
      use(cpu, cpu + 1);
      ASSERT_EQ(map_->erase(bytes(key)), 0);
      ASSERT_EQ(map_->update(bytes(key), value_.data(), 0, cpu), 0);
      expect(false, 0, cpu);
    }
  }
}

// ---- What a CPU took in advance

TEST(LocalFree, GivesWhatItGotInOrder) {
  alignas(64) std::array<std::byte, LocalFree::bytes(3)> memory{};
  LocalFree local(memory.data(), 3);
  const std::uint32_t links[] = {7, 8, 9, 10};
  EXPECT_EQ(local.take(0), std::nullopt);
  EXPECT_EQ(local.give(0, links), 3U) << "as there is room for";
  EXPECT_FALSE(local.give(0, 11));
  EXPECT_EQ(local.take(0), 7U);
  EXPECT_EQ(local.take(0), 8U);
  EXPECT_TRUE(local.give(0, 12));
  EXPECT_EQ(local.count(0), 2U);
  EXPECT_EQ(local.take(0), 12U);
  EXPECT_EQ(local.take(0), 9U);
  EXPECT_EQ(local.take(0), std::nullopt);
}

TEST(LocalFree, IsVoidInAnotherGeneration) {
  alignas(64) std::array<std::byte, LocalFree::bytes(4)> memory{};
  LocalFree local(memory.data(), 4);
  const std::uint32_t links[] = {7, 8};
  EXPECT_EQ(local.give(0, links), 2U);
  EXPECT_EQ(local.count(1), 0U);
  EXPECT_EQ(local.take(1), std::nullopt);
  EXPECT_FALSE(local.give(1, 9));
  std::set<std::uint32_t> lost;
  local.renew(1, [&](std::uint32_t link) { lost.insert(link); });
  EXPECT_EQ(lost, (std::set<std::uint32_t>{7, 8}));
  EXPECT_FALSE(local.give(0, 9));
  EXPECT_TRUE(local.give(1, 9));
  EXPECT_EQ(local.take(1), 9U);
}

}  // namespace
}  // namespace skep::maps
