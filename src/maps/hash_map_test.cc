// The program side of hash maps: CPUs, iteration, eviction, memory; and many threads at once.
#include "maps/hash_map.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <thread>
#include <vector>

#include "maps/domain.h"

namespace skep::maps {
namespace {

using enum spec::MapType;
using spec::MapSpec;

const std::byte* bytes(const std::uint64_t& key) { return reinterpret_cast<const std::byte*>(&key); }

class HashTest : public testing::Test {
 protected:
  std::unique_ptr<Map> make(spec::MapType type, std::uint32_t entries, std::uint32_t flags = 0,
                            std::uint32_t value_size = 8) {
    auto map = Map::create(
        *domain_, {.type = type, .key_size = 8, .value_size = value_size, .max_entries = entries, .flags = flags},
        spec::MapId{1});
    EXPECT_TRUE(map) << map.error().message;
    return *std::move(map);
  }
  static int put(Map& map, std::uint64_t key, std::uint64_t value, std::uint64_t flags = 0, unsigned cpu = 0) {
    return map.update(bytes(key), bytes(value), flags, cpu);
  }
  static std::vector<std::uint64_t> keys_of(Map& map) {
    std::vector<std::uint64_t> keys;
    std::uint64_t key = 0;
    std::uint64_t next = 0;
    for (int error = map.next_key(nullptr, reinterpret_cast<std::byte*>(&next)); error == 0;
         error = map.next_key(bytes(key), reinterpret_cast<std::byte*>(&next)))
      keys.push_back(key = next);
    return keys;
  }
  std::unique_ptr<Domain> domain_ = *Domain::create();
};

TEST_F(HashTest, APointerFromLookupIsTheValue) {
  for (const auto type : {Hash, LruHash}) {
    const auto map = make(type, 10);
    ASSERT_EQ(put(*map, 1, 100), 0);
    std::byte* value = map->lookup(bytes(1), 0);
    ASSERT_NE(value, nullptr);
    store(value, std::uint64_t{101});
    std::uint64_t read = 0;
    ASSERT_EQ(map->copy_value(bytes(1), reinterpret_cast<std::byte*>(&read), 0), 0);
    EXPECT_EQ(read, 101U);
    EXPECT_EQ(map->value_at(value + 7)->data(), value);
    EXPECT_FALSE(map->value_at(value + 8));
    EXPECT_FALSE(map->value_at(value - 1));
    ASSERT_EQ(map->erase(bytes(1)), 0);
    EXPECT_EQ(load<std::uint64_t>(value), 101U) << "still memory";
    EXPECT_TRUE(map->value_at(value)) << "a program may hold it for the rest of its run";
  }
}

TEST_F(HashTest, ANewElementOfOneCpuIsZeroOnTheOthers) {
  for (const auto type : {PercpuHash, LruPercpuHash}) {
    const auto map = make(type, 10);
    if (domain_->cpus() < 2) GTEST_SKIP() << "one CPU";
    ASSERT_EQ(put(*map, 1, 100, 0, 0), 0);
    ASSERT_EQ(put(*map, 1, 101, 0, 1), 0);
    ASSERT_EQ(map->erase(bytes(1)), 0);
    ASSERT_EQ(put(*map, 1, 102, 0, 1), 0);
    EXPECT_EQ(load<std::uint64_t>(map->lookup(bytes(1), 0)), 0U);
    EXPECT_EQ(load<std::uint64_t>(map->lookup_percpu(bytes(1), 1)), 102U);
    EXPECT_EQ(map->lookup_percpu(bytes(1), domain_->cpus()), nullptr);
    std::byte* value = map->lookup(bytes(1), 1);
    EXPECT_EQ(map->value_at(value + 3)->data(), value);
  }
  EXPECT_EQ(make(Hash, 1)->lookup_percpu(bytes(1), 0), nullptr);
}

struct Deleting {
  Map& map;
  std::set<std::uint64_t> seen;
  static std::uint64_t visit(void* context, std::byte* key, std::byte*) noexcept {
    auto& self = *static_cast<Deleting*>(context);
    self.seen.insert(load<std::uint64_t>(key));
    return self.map.erase(key) == 0 ? 0 : 1;
  }
};

TEST_F(HashTest, ForEachMayDeleteWhatItVisits) {
  for (const auto type : {Hash, PercpuHash, LruHash, LruPercpuHash}) {
    const auto map = make(type, 1000);
    for (std::uint64_t key = 0; key < 500; ++key) ASSERT_EQ(put(*map, key, key), 0);
    Deleting deleting{*map, {}};
    EXPECT_EQ(map->for_each(Deleting::visit, &deleting, 0), 500);
    EXPECT_EQ(deleting.seen.size(), 500U);
    EXPECT_TRUE(keys_of(*map).empty());
  }
}

TEST_F(HashTest, FillsToTheLastEntryAgainAndAgain) {
  for (const std::uint32_t flags : {0U, std::uint32_t{spec::kNoPrealloc}}) {
    const auto map = make(Hash, 100, flags);
    for (std::uint64_t round = 0; round < 50; ++round) {
      for (std::uint64_t key = 0; key < 100; ++key)
        ASSERT_EQ(put(*map, round * 1000 + key, key), 0) << round << ", " << key;
      ASSERT_EQ(put(*map, 999, 0), -E2BIG);
      for (std::uint64_t key = 0; key < 100; ++key)
        ASSERT_EQ(put(*map, round * 1000 + key, 1), 0) << "replaced while full";
      for (std::uint64_t key = 0; key < 100; ++key) ASSERT_EQ(map->erase(bytes(round * 1000 + key)), 0);
    }
  }
}

TEST_F(HashTest, LruIsNeverFullAndKeepsWhatProgramsUse) {
  for (const auto type : {LruHash, LruPercpuHash}) {
    const auto map = make(type, 1000);
    constexpr std::uint64_t kHot = 100;
    for (std::uint64_t key = 0; key < 20000; ++key) {
      ASSERT_EQ(put(*map, key, key), 0);
      if (key >= kHot) {
        ASSERT_NE(map->lookup(bytes(key % kHot), 0), nullptr) << key << ": was used within the last hundred operations";
      }
    }
    EXPECT_LE(keys_of(*map).size(), 1000U);
    EXPECT_GE(keys_of(*map).size(), 1000U - 128) << "but for what a CPU has in advance";
    EXPECT_NE(map->lookup(bytes(19999), 0), nullptr);
  }
}

TEST_F(HashTest, SystemCallsReadLruMapsWithoutMarking) {
  const auto map = make(LruHash, 100);
  for (std::uint64_t key = 0; key < 100; ++key) ASSERT_EQ(put(*map, key, key), 0);
  std::uint64_t value = 0;
  ASSERT_EQ(map->copy_value(bytes(0), reinterpret_cast<std::byte*>(&value), 0), 0);
  ASSERT_NE(map->lookup(bytes(1), 0), nullptr);
  ASSERT_EQ(put(*map, 100, 0), 0);
  ASSERT_EQ(put(*map, 101, 0), 0);
  EXPECT_EQ(map->copy_value(bytes(0), reinterpret_cast<std::byte*>(&value), 0), -ENOENT)
      << "the oldest, read by a system call only";
  EXPECT_EQ(map->copy_value(bytes(1), reinterpret_cast<std::byte*>(&value), 0), 0) << "the next, but used by a program";
}

// Reads the whole map in batches of at most `room`; every element must come exactly once.
std::vector<std::uint64_t> read_all(Map& map, std::uint32_t room, Then then) {
  std::vector<std::uint64_t> all;
  std::vector<std::uint64_t> keys(room);
  std::vector<std::uint64_t> values(room);
  Batch batch{.room = room,
              .keys = reinterpret_cast<std::byte*>(keys.data()),
              .values = reinterpret_cast<std::byte*>(values.data())};
  int result = 0;
  while (result == 0) {
    result = map.read_batch(batch, then);
    for (std::uint32_t i = 0; i < batch.count; ++i) {
      EXPECT_EQ(values[i], keys[i] + 1);
      all.push_back(keys[i]);
    }
  }
  EXPECT_EQ(result, -ENOENT);
  std::ranges::sort(all);
  return all;
}

TEST_F(HashTest, BatchesHoldEveryElementOnce) {
  for (const auto type : {Hash, LruHash}) {
    const auto map = make(type, 1000);
    std::vector<std::uint64_t> expected;
    for (std::uint64_t key = 0; key < 700; ++key) {
      ASSERT_EQ(put(*map, key, key + 1), 0);
      expected.push_back(key);
    }
    EXPECT_EQ(read_all(*map, 30, Then::Keep), expected);
    EXPECT_EQ(read_all(*map, 1000, Then::Keep), expected);
    EXPECT_EQ(read_all(*map, 30, Then::Remove), expected);
    EXPECT_TRUE(read_all(*map, 30, Then::Keep).empty());
    EXPECT_TRUE(keys_of(*map).empty());
    Batch no_room{};
    ASSERT_EQ(put(*map, 1, 2), 0);
    EXPECT_EQ(map->read_batch(no_room, Then::Keep), -ENOSPC);
    EXPECT_EQ(no_room.count, 0U);
    Batch beyond{.cursor = 1U << 30};
    EXPECT_EQ(map->read_batch(beyond, Then::Keep), -ENOENT);
  }
}

TEST_F(HashTest, AChildAndItsParentShareTheMap) {
  for (const auto type : {Hash, LruHash}) {
    const auto map = make(type, 100);
    ASSERT_EQ(put(*map, 1, 10), 0);
    const pid_t child = ::fork();
    if (child == 0) ::_exit(map->erase(bytes(1)) == 0 && put(*map, 2, 20) == 0 ? 0 : 1);
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(keys_of(*map), std::vector<std::uint64_t>{2});
  }
}

// Keys that are never removed must always be found, values must be whole, whatever others do around them.
TEST_F(HashTest, ReadersSeeWholeElementsWhileOthersWrite) {
  struct Value {
    std::uint64_t words[4];
  };
  const auto map = make(Hash, 64, 0, sizeof(Value));
  constexpr std::uint64_t kStay = 16;
  std::atomic<bool> stop = false;
  std::atomic<int> missing = 0;
  std::atomic<int> torn = 0;
  const auto write = [&](std::uint64_t key, std::uint64_t word) {
    const Value value{{key, word, word, word}};
    return map->update(bytes(key), reinterpret_cast<const std::byte*>(&value), 0, 0);
  };
  for (std::uint64_t key = 0; key < kStay; ++key) ASSERT_EQ(write(key, 0), 0);
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 2; ++t)
    threads.emplace_back([&, t] {
      for (std::uint64_t i = 1; !stop; ++i) {
        write(i % kStay, i);
        write(kStay + i % 24 + t * 24, i);
        map->erase(bytes(kStay + (i * 7) % 24 + t * 24));
      }
    });
  for (int t = 0; t < 2; ++t)
    threads.emplace_back([&] {
      for (std::uint64_t i = 0; i < 30000; ++i) {
        Value value{};
        const std::uint64_t key = i % kStay;
        if (map->copy_value(bytes(key), reinterpret_cast<std::byte*>(&value), 0) != 0 ||
            map->lookup(bytes(key), 0) == nullptr)
          ++missing;
        else if (value.words[0] != key || value.words[1] != value.words[2] || value.words[1] != value.words[3])
          ++torn;
      }
    });
  threads[2].join();
  threads[3].join();
  stop = true;
  threads[0].join();
  threads[1].join();
  EXPECT_EQ(missing, 0);
  EXPECT_EQ(torn, 0);
}

TEST_F(HashTest, ThreadsInsertAndDeleteAndNothingIsLost) {
  for (const auto& [type, flags] : {std::pair{Hash, 0U}, {Hash, std::uint32_t{spec::kNoPrealloc}}, {PercpuHash, 0U}}) {
    const auto map = make(type, 400, flags);
    std::vector<std::thread> threads;
    std::atomic<int> failed = 0;
    for (std::uint64_t t = 0; t < 4; ++t)
      threads.emplace_back([&, t] {
        for (std::uint64_t round = 0; round < 40; ++round) {
          for (std::uint64_t i = 0; i < 100; ++i) failed += put(*map, t * 1000 + i, i) != 0;
          for (std::uint64_t i = 0; i < 100; ++i) failed += map->lookup(bytes(t * 1000 + i), 0) == nullptr;
          for (std::uint64_t i = 50; i < 100; ++i) failed += map->erase(bytes(t * 1000 + i)) != 0;
        }
      });
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(failed, 0);
    auto keys = keys_of(*map);
    std::ranges::sort(keys);
    ASSERT_EQ(keys.size(), 200U);
    for (std::uint64_t i = 0; i < 200; ++i) EXPECT_EQ(keys[i], i / 50 * 1000 + i % 50);
  }
}

TEST_F(HashTest, WithoutPreallocationMemoryIsGivenBackWhenElementsGo) {
  for (const auto type : {Hash, PercpuHash})
    for (const std::uint32_t value_size : {8U, 16U, 24U}) {
      constexpr std::uint64_t kKeys = 60000;
      const auto map = make(type, 100000, spec::kNoPrealloc, value_size);
      std::vector<std::byte> value(value_size, std::byte{7});
      const std::size_t empty = map->memory_bytes();
      const auto fill = [&] {
        for (std::uint64_t key = 0; key < kKeys; ++key)
          ASSERT_EQ(map->update(bytes(key), value.data(), spec::kNoExist, 0), 0) << key;
      };
      fill();
      const std::size_t full = map->memory_bytes();
      ASSERT_GT(full, empty + 16 * kKeys);
      for (std::uint64_t key = 0; key < kKeys; ++key) ASSERT_EQ(map->erase(bytes(key)), 0) << key;
      EXPECT_LT(map->memory_bytes(), empty + full / 16) << value_size << " of " << full;
      EXPECT_EQ(map->lookup(bytes(0), 0), nullptr);
      fill();
      for (std::uint64_t key = 0; key < kKeys; ++key) ASSERT_NE(map->lookup(bytes(key), 0), nullptr) << key;
    }
}

// The key that is all zeros is what is read where memory was given back.
TEST_F(HashTest, ReadersGoOnWhileMemoryIsGivenBack) {
  const auto map = make(Hash, 20000, spec::kNoPrealloc);
  std::atomic<bool> done = false;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> readers;
  for (int t = 0; t < 2; ++t)
    readers.emplace_back([&] {
      for (std::uint64_t i = 0; !done; ++i) {
        wrong += map->lookup(bytes(0), 0) != nullptr;
        std::uint64_t value = 0;
        const std::uint64_t key = i % 5000 + 1;
        if (map->copy_value(bytes(key), reinterpret_cast<std::byte*>(&value), 0) == 0) wrong += value != key * 3;
      }
    });
  for (int round = 0; round < 20; ++round) {
    for (std::uint64_t key = 1; key <= 5000; ++key) ASSERT_EQ(put(*map, key, key * 3), 0);
    for (std::uint64_t key = 1; key <= 5000; ++key) ASSERT_EQ(map->erase(bytes(key)), 0);
    if (round % 5 == 4) ::usleep(1'000'000);  // it is done once a second
  }
  done = true;
  for (auto& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(HashTest, ThreadsCrowdAnLruMap) {
  const auto map = make(LruHash, 64);
  std::vector<std::thread> threads;
  std::atomic<int> failed = 0;
  std::atomic<int> wrong = 0;
  for (std::uint64_t t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (std::uint64_t i = 0; i < 8000; ++i) {
        const std::uint64_t key = (i * 31 + t * 7) % 300;
        failed += put(*map, key, key * 3) != 0;
        std::uint64_t value = 0;
        if (map->copy_value(bytes(key), reinterpret_cast<std::byte*>(&value), 0) == 0) wrong += value != key * 3;
        if (i % 16 == 0) map->erase(bytes(key));
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(wrong, 0);
  EXPECT_LE(keys_of(*map).size(), 64U);
}

}  // namespace
}  // namespace skep::maps
