// Maps that hold objects: prog arrays, perf event arrays, maps of maps, programs of device maps.
#include <gtest/gtest.h>

#include "maps/domain.h"
#include "maps/map.h"

namespace skep::maps {
namespace {

using enum spec::MapType;
using spec::MapSpec;

const std::byte* bytes(const std::uint32_t& key) { return reinterpret_cast<const std::byte*>(&key); }

class ReferenceTest : public testing::Test {
 protected:
  std::unique_ptr<Map> make(spec::MapType type, std::uint32_t value_size = 4) {
    const MapSpec inner{.type = Array, .key_size = 4, .value_size = 4, .max_entries = 1};
    const MapSpec spec{.type = type, .key_size = 4, .value_size = value_size, .max_entries = 2};
    auto map = Map::create(*domain_, spec, spec::MapId{1}, &inner);
    EXPECT_TRUE(map) << map.error().message;
    return *std::move(map);
  }
  std::unique_ptr<Domain> domain_ = *Domain::create();
};

constexpr Reference kOne{10, 1};
constexpr Reference kTwo{11, 2};
constexpr std::uint32_t kKey = 1;

TEST_F(ReferenceTest, SetReplaceDelete) {
  for (const auto type : {ProgArray, PerfEventArray, ArrayOfMaps, HashOfMaps}) {
    const auto map = make(type);
    Reference old{5, 5};
    EXPECT_EQ(map->reference(bytes(kKey)), Reference{}) << name(type);
    EXPECT_EQ(map->set_reference(bytes(kKey), kOne, 0, &old), 0);
    EXPECT_EQ(old, Reference{});
    EXPECT_EQ(map->reference(bytes(kKey)), kOne);
    EXPECT_EQ(map->set_reference(bytes(kKey), kTwo, 0, &old), 0);
    EXPECT_EQ(old, kOne);
    EXPECT_EQ(map->set_reference(bytes(kKey), {}, 0, &old), 0);
    EXPECT_EQ(old, kTwo);
    EXPECT_EQ(map->set_reference(bytes(kKey), {}, 0, nullptr), -ENOENT);
    EXPECT_EQ(map->erase(bytes(kKey)), -ENOENT);
    EXPECT_EQ(map->lookup(bytes(kKey), 0), nullptr) << "programs get objects, not their numbers";
    const std::uint32_t id = 7;
    EXPECT_EQ(map->update_all(bytes(kKey), bytes(id), 0), -EINVAL) << "only the hive writes them";
  }
}

TEST_F(ReferenceTest, SystemCallsReadIds) {
  for (const auto type : {ProgArray, ArrayOfMaps, HashOfMaps}) {
    const auto map = make(type);
    std::uint32_t id = 0;
    EXPECT_EQ(map->syscall_value_size(), 4U);
    EXPECT_EQ(map->copy_value(bytes(kKey), reinterpret_cast<std::byte*>(&id), 0), -ENOENT);
    ASSERT_EQ(map->set_reference(bytes(kKey), kOne, 0, nullptr), 0);
    EXPECT_EQ(map->copy_value(bytes(kKey), reinterpret_cast<std::byte*>(&id), 0), 0);
    EXPECT_EQ(id, kOne.id);
  }
}

TEST_F(ReferenceTest, ArraysTakeNoFlagsAndKnowTheirSize) {
  for (const auto type : {ProgArray, PerfEventArray, ArrayOfMaps}) {
    const auto map = make(type);
    const std::uint32_t beyond = 2;
    EXPECT_EQ(map->set_reference(bytes(kKey), kOne, spec::kNoExist, nullptr), -EINVAL);
    EXPECT_EQ(map->set_reference(bytes(kKey), kOne, spec::kExist, nullptr), -EINVAL);
    EXPECT_EQ(map->set_reference(bytes(beyond), kOne, 0, nullptr), -E2BIG);
    EXPECT_EQ(map->reference(bytes(beyond)), Reference{});
  }
}

TEST_F(ReferenceTest, AHashOfMapsTakesTheFlagsOfAHash) {
  const auto map = make(HashOfMaps);
  EXPECT_EQ(map->set_reference(bytes(kKey), kOne, spec::kExist, nullptr), -ENOENT);
  EXPECT_EQ(map->set_reference(bytes(kKey), kOne, spec::kNoExist, nullptr), 0);
  EXPECT_EQ(map->set_reference(bytes(kKey), kTwo, spec::kNoExist, nullptr), -EEXIST);
  EXPECT_EQ(map->reference(bytes(kKey)), kOne);
  const std::uint32_t two = 2;
  const std::uint32_t three = 3;
  EXPECT_EQ(map->set_reference(bytes(two), kTwo, 0, nullptr), 0);
  EXPECT_EQ(map->set_reference(bytes(three), kTwo, 0, nullptr), -E2BIG);
}

TEST_F(ReferenceTest, DevicesKeepTheirProgramsGeneration) {
  for (const auto type : {Devmap, DevmapHash, Cpumap}) {
    const auto map = make(type, 8);
    const std::uint32_t key = 0;
    const std::uint32_t value[2] = {1, kOne.id};
    EXPECT_EQ(map->set_reference(bytes(key), kOne, 0, nullptr), -ENOENT) << name(type);
    ASSERT_EQ(map->update_all(bytes(key), bytes(value[0]), 0), 0);
    ASSERT_EQ(map->set_reference(bytes(key), kOne, 0, nullptr), 0);
    EXPECT_EQ(map->reference(bytes(key)), kOne);
    std::byte* found = map->lookup(bytes(key), 0);
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(std::memcmp(found, value, 8), 0);
    EXPECT_EQ(map->value_at(found + 7)->data(), found);
    EXPECT_FALSE(map->value_at(found + 8));
    Reference old;
    EXPECT_EQ(map->set_reference(bytes(key), {}, 0, &old), 0);
    EXPECT_EQ(old, kOne);
  }
}

}  // namespace
}  // namespace skep::maps
