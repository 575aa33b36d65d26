// What all kinds share: making, opening, refusing, freezing.
#include "maps/map.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "maps/domain.h"

namespace skep::maps {
namespace {

using spec::MapSpec;
using spec::MapType;

class MapTest : public testing::Test {
 protected:
  std::unique_ptr<Map> make(const MapSpec& spec) {
    auto map = Map::create(*domain_, spec, spec::MapId{7});
    EXPECT_TRUE(map) << map.error().message;
    return *std::move(map);
  }
  std::unique_ptr<Domain> domain_ = *Domain::create();
};

constexpr MapType kPlain[] = {MapType::Hash, MapType::Array, MapType::LruHash};

TEST_F(MapTest, TwoHandlesSeeTheSameElements) {
  for (const MapType type : kPlain) {
    const MapSpec spec{.type = type, .key_size = 4, .value_size = 8, .max_entries = 4};
    const auto one = make(spec);
    const auto other = Map::open(*domain_, Fd(::dup(one->memfd())), one->spec());
    ASSERT_TRUE(other) << other.error().message;
    EXPECT_EQ((*other)->id(), spec::MapId{7});
    const std::uint32_t key = 3;
    std::uint64_t value = 0x1122334455667788;
    auto* key_bytes = reinterpret_cast<const std::byte*>(&key);
    ASSERT_EQ(one->update(key_bytes, reinterpret_cast<std::byte*>(&value), 0, 0), 0);
    std::byte* found = (*other)->lookup(key_bytes, 0);
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(load<std::uint64_t>(found), value);
  }
}

TEST_F(MapTest, TheDescriptorIsSealedAndHoldsTheId) {
  const auto map = make({.type = MapType::Hash, .key_size = 4, .value_size = 8, .max_entries = 4});
  EXPECT_EQ(::lseek(map->memfd(), 0, SEEK_CUR), 7);
  EXPECT_NE(::ftruncate(map->memfd(), 1), 0);
  EXPECT_NE(::ftruncate(map->memfd(), 1 << 30), 0);
}

TEST_F(MapTest, RefusesRegionsOfOtherMaps) {
  const MapSpec spec{.type = MapType::Hash, .key_size = 4, .value_size = 8, .max_entries = 4};
  const auto map = make(spec);
  for (auto other : {MapSpec{.type = MapType::Hash, .key_size = 4, .value_size = 8, .max_entries = 3},
                     MapSpec{.type = MapType::Hash, .key_size = 8, .value_size = 8, .max_entries = 4},
                     MapSpec{.type = MapType::Hash, .key_size = 4, .value_size = 8, .max_entries = 100000},
                     MapSpec{.type = MapType::Array, .key_size = 4, .value_size = 8, .max_entries = 4}})
    EXPECT_FALSE(Map::open(*domain_, Fd(::dup(map->memfd())), other));
  EXPECT_FALSE(Map::open(*domain_, Fd(::open("/dev/null", O_RDWR)), spec));
  EXPECT_FALSE(Map::open(*domain_, Fd(::memfd_create("x", MFD_ALLOW_SEALING)), spec));
}

TEST_F(MapTest, FreezesOnceAndNotWhileUsersMayWrite) {
  const auto map = make({.type = MapType::Array, .key_size = 4, .value_size = 8, .max_entries = 4});
  EXPECT_FALSE(map->frozen());
  map->note_writer(+1);
  EXPECT_EQ(map->freeze(), -EBUSY);
  map->note_writer(-1);
  EXPECT_EQ(map->freeze(), 0);
  EXPECT_TRUE(map->frozen());
  EXPECT_EQ(map->freeze(), -EBUSY);
}

TEST_F(MapTest, PreallocatedMapsTakeTheirMemoryAtOnceOthersWhenUsed) {
  MapSpec spec{.type = MapType::Hash, .key_size = 8, .value_size = 56, .max_entries = 100000};
  EXPECT_GE(make(spec)->memory_bytes(), 64U * 100000);
  spec.flags = spec::kNoPrealloc;
  EXPECT_LE(make(spec)->memory_bytes(), 64U << 10);
}

TEST_F(MapTest, MoreThanTheMachinesMemoryIsRefusedAtCreation) {
  const auto map =
      Map::create(*domain_, {.type = MapType::Array, .key_size = 4, .value_size = 1U << 20, .max_entries = 1U << 30},
                  spec::MapId{7});
  ASSERT_FALSE(map);
  EXPECT_EQ(map.error().code, ENOMEM);
}

}  // namespace
}  // namespace skep::maps
