// Recipes find what lookup() finds.
#include "maps/recipe.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <random>
#include <vector>

#include "base/thread.h"
#include "maps/domain.h"
#include "maps/map.h"
#include "maps/ring_map.h"

namespace skep::maps {
namespace {

using enum spec::MapType;

class RecipeTest : public testing::Test {
 protected:
  std::unique_ptr<Map> make(spec::MapType type, std::uint32_t key_size, std::uint32_t flags = 0) {
    auto map = Map::create(*domain_,
                           {.type = type,
                            .key_size = key_size,
                            .value_size = type == ProgArray ? 4U : 12U,
                            .max_entries = 64,
                            .flags = flags},
                           spec::MapId{1});
    EXPECT_TRUE(map) << map.error().message;
    return *std::move(map);
  }
  // Keys of few different bytes, so that some are found and prefixes are shared.
  std::vector<std::byte> random_key(std::uint32_t size) {
    std::vector<std::byte> key(size);
    for (std::byte& byte : key) byte = static_cast<std::byte>(random_() % 3 << 6);
    return key;
  }
  // What the engine's code does with a recipe.
  static const std::byte* find(const Recipe& recipe, const std::byte* key, unsigned cpu) {
    std::byte* const value = recipe.find(recipe.table, 77, key);
    return value == nullptr ? nullptr : value + cpu * recipe.per_cpu;
  }

  std::unique_ptr<Domain> domain_ = *Domain::create();
  std::mt19937 random_{1};
};

TEST_F(RecipeTest, HashMapsAreSearchedByTheSizeOfTheirKeys) {
  const std::vector<std::byte> value(12, std::byte{7});
  for (const auto type : {Hash, PercpuHash, LruHash, LruPercpuHash})
    for (const std::uint32_t size : {1U, 3U, 4U, 5U, 8U, 12U, 16U, 17U, 24U, 40U}) {
      const auto map = make(type, size);
      const auto found = recipe(*map);
      ASSERT_TRUE(found && found->find != nullptr && found->map == map.get());
      for (int i = 0; i < 40; ++i) map->update(random_key(size).data(), value.data(), 0, 0);
      int hits = 0;
      for (int i = 0; i < 400; ++i) {
        const std::vector<std::byte> key = random_key(size);
        const unsigned cpu = static_cast<unsigned>(i) % domain_->cpus();
        const std::byte* const expected = map->lookup(key.data(), cpu);
        ASSERT_EQ(find(*found, key.data(), cpu), expected) << size;
        hits += expected != nullptr;
      }
      EXPECT_TRUE(hits > 0 || size > 5);
    }
}

// What update() and erase() answer, by a model: with keys enough to fill the map, and flags.
TEST_F(RecipeTest, HashMapsAreChangedByTheSizeOfTheirKeys) {
  for (const std::uint32_t size : {1U, 3U, 4U, 5U, 8U, 12U, 16U, 17U, 24U, 40U}) {
    const auto map = make(Hash, size);
    const auto found = recipe(*map);
    ASSERT_TRUE(found && found->update != nullptr && found->erase != nullptr);
    void* const table = const_cast<void*>(found->table);
    std::map<std::vector<std::byte>, std::vector<std::byte>> model;
    for (int i = 0; i < 2000; ++i) {
      const std::vector<std::byte> key = random_key(size);
      const std::uint64_t flags = random_() % 4;
      const bool there = model.contains(key);
      if (random_() % 4 == 0) {
        ASSERT_EQ(found->erase(table, 77, key.data()), there ? 0 : -ENOENT);
        model.erase(key);
        continue;
      }
      const std::vector<std::byte> value(12, static_cast<std::byte>(i));
      const int expected = flags == 3                         ? -EINVAL
                           : there && flags == spec::kNoExist ? -EEXIST
                           : !there && flags == spec::kExist  ? -ENOENT
                           : !there && model.size() == 64     ? -E2BIG
                                                              : 0;
      ASSERT_EQ(found->update(table, 77, key.data(), value.data(), flags), expected) << size;
      if (expected == 0) model[key] = value;
    }
    for (const auto& [key, value] : model) {
      const std::byte* const stored = map->lookup(key.data(), 0);
      ASSERT_TRUE(stored != nullptr && std::equal(value.begin(), value.end(), stored));
    }
  }
}

TEST_F(RecipeTest, WholeValuesAloneAreUpdatedWithoutTheMap) {
  EXPECT_EQ(recipe(*make(PercpuHash, 8))->update, nullptr);
  EXPECT_EQ(recipe(*make(LruHash, 8))->update, nullptr);
  EXPECT_EQ(recipe(*make(LruHash, 8))->erase, nullptr);
  const auto map = make(Hash, 8);
  map->set_value_lock(4);
  EXPECT_EQ(recipe(*map)->update, nullptr);
  EXPECT_NE(recipe(*map)->erase, nullptr);
}

TEST_F(RecipeTest, TriesGiveTheLongestPrefix) {
  const std::vector<std::byte> value(12, std::byte{7});
  for (const std::uint32_t size : {1U, 2U, 3U, 4U, 7U, 8U, 9U, 16U}) {
    const auto map = make(LpmTrie, 4 + size, spec::kNoPrealloc);
    const auto found = recipe(*map);
    ASSERT_TRUE(found && found->find != nullptr);
    for (int i = 0; i < 400; ++i) {
      std::vector<std::byte> key = random_key(4 + size);
      store(key.data(), static_cast<std::uint32_t>(random_() % (size * 8 + 2)));  // the longest is too long
      if (i % 8 == 0 && i < 300) map->update(key.data(), value.data(), 0, 0);
      if (i % 32 == 1) map->erase(key.data());
      ASSERT_EQ(find(*found, key.data(), 0), map->lookup(key.data(), 0));
    }
  }
}

TEST_F(RecipeTest, SlotsHoldReferences) {
  const auto map = make(ProgArray, 4);
  const auto found = recipe(*map);
  ASSERT_TRUE(found && found->references);
  for (const std::uint32_t index : {0U, 5U, 63U}) {
    const Reference reference{index + 7, 3};
    ASSERT_EQ(map->set_reference(reinterpret_cast<const std::byte*>(&index), reference, 0, nullptr), 0);
    EXPECT_EQ(load<Reference>(reinterpret_cast<const void*>(found->base + index * found->stride)), reference);
  }
  EXPECT_EQ(found->entries, 64U);
}

// The state of a ring buffer after each step is where its recipe says.
TEST_F(RecipeTest, RingBuffersSayWhereTheirRecordsAre) {
  const auto map = Map::create(*domain_, {.type = Ringbuf, .max_entries = 8192}, spec::MapId{1});
  ASSERT_TRUE(map);
  auto& ring = static_cast<RingMap&>(**map);
  const auto found = recipe(**map);
  ASSERT_TRUE(found && found->map == map->get());
  const Recipe::Ring& said = found->ring;
  const auto word = [](std::uint64_t base, std::int64_t offset) {
    return load<std::uint64_t>(reinterpret_cast<const void*>(base + static_cast<std::uint64_t>(offset)));
  };
  EXPECT_EQ(said.mask, 8191U);
  std::byte* const first = ring.reserve(13, 0);
  EXPECT_EQ(reinterpret_cast<std::uint64_t>(first), said.data + Recipe::Ring::kRecordHeader);
  EXPECT_EQ(word(said.data, 0),
            (13U | Recipe::Ring::kBusy) | std::uint64_t{this_owner()} << 8 * Recipe::Ring::kOwnerAt);
  EXPECT_EQ(word(said.data, Recipe::Ring::kProducerAt), Recipe::Ring::record_bytes(13));
  ring.reserve(8, 0);
  EXPECT_EQ(word(said.state, 0), std::uint64_t{1} << 8 * Recipe::Ring::kStallsAt)
      << "no lock, and one that did not move";
  ring.discard(first, 1);
  EXPECT_EQ(word(said.data, 0) & UINT32_MAX, 13U | Recipe::Ring::kDiscarded);
  ring.reserve(8, 0);
  EXPECT_EQ(word(said.state, Recipe::Ring::kPendingAt), Recipe::Ring::record_bytes(13));
  ring.drain([](void*, Bytes) {}, nullptr);
  EXPECT_EQ(word(said.data, Recipe::Ring::kConsumerAt), Recipe::Ring::record_bytes(13));
  std::uint64_t count = 0;
  said.wake(found->map);
  EXPECT_EQ(::read(ring.wakeup_fd(), &count, sizeof count), sizeof count);
}

TEST_F(RecipeTest, OthersHaveNone) { EXPECT_FALSE(recipe(*make(Queue, 0))); }

}  // namespace
}  // namespace skep::maps
