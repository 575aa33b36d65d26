// Regions that someone scribbled on: every kind must open or refuse, operate or fail, and never reach outside.
#include <gtest/gtest.h>

#include <random>

#include "maps/attack.h"

namespace skep::maps {
namespace {

using enum spec::MapType;
using spec::MapSpec;

const MapSpec kSpecs[] = {
    {.type = Hash, .key_size = 8, .value_size = 8, .max_entries = 300},
    {.type = Hash, .key_size = 5, .value_size = 9, .max_entries = 300, .flags = spec::kNoPrealloc},
    {.type = PercpuHash, .key_size = 8, .value_size = 8, .max_entries = 300},
    {.type = LruHash, .key_size = 8, .value_size = 8, .max_entries = 300},
    {.type = LruPercpuHash, .key_size = 8, .value_size = 8, .max_entries = 300},
    {.type = LruHash, .key_size = 8, .value_size = 8, .max_entries = 300, .flags = spec::kNoCommonLru},
    {.type = Array, .key_size = 4, .value_size = 8, .max_entries = 300},
    {.type = PercpuArray, .key_size = 4, .value_size = 8, .max_entries = 300},
    {.type = ProgArray, .key_size = 4, .value_size = 4, .max_entries = 300},
    {.type = HashOfMaps, .key_size = 8, .value_size = 4, .max_entries = 300},
    {.type = LpmTrie, .key_size = 8, .value_size = 8, .max_entries = 300, .flags = spec::kNoPrealloc},
    {.type = LpmTrie, .key_size = 8, .value_size = 8, .max_entries = 1000, .flags = spec::kNoPrealloc},
    {.type = LpmTrie, .key_size = 20, .value_size = 3, .max_entries = 300, .flags = spec::kNoPrealloc},
    {.type = Devmap, .key_size = 4, .value_size = 8, .max_entries = 300},
    {.type = DevmapHash, .key_size = 4, .value_size = 8, .max_entries = 300},
    {.type = Cpumap, .key_size = 4, .value_size = 8, .max_entries = 2},
    {.type = Queue, .value_size = 8, .max_entries = 300},
    {.type = Stack, .value_size = 8, .max_entries = 300},
    {.type = BloomFilter, .value_size = 8, .max_entries = 300},
    {.type = Ringbuf, .max_entries = 4096},
};

std::unique_ptr<Map> make(Domain& domain, const MapSpec& spec) {
  const MapSpec inner{.type = Array, .key_size = 4, .value_size = 4, .max_entries = 1};
  auto map = Map::create(domain, spec, spec::MapId{1}, &inner);
  EXPECT_TRUE(map) << map.error().message;
  return *std::move(map);
}

TEST(Hostile, ScribbledRegionsStayWithinTheirBounds) {
  const auto domain = *Domain::create();
  for (const MapSpec& spec : kSpecs) {
    for (std::uint32_t seed = 0; seed < 12; ++seed) {
      const auto map = make(*domain, spec);
      Attack attack(*map, std::mt19937(seed));
      attack.fill();
      for (int round = 0; round < 4; ++round) {
        attack.scribble();
        [[maybe_unused]] const auto again = Map::open(*domain, Fd(::dup(map->memfd())), map->spec());
        for (int i = 0; i < 25; ++i) attack.operate();
      }
    }
  }
}

TEST(Hostile, AHeaderOfNoiseIsRefused) {
  const auto domain = *Domain::create();
  for (const MapSpec& spec : kSpecs) {
    const auto map = make(*domain, spec);
    const std::vector<std::uint8_t> noise(static_cast<std::size_t>(::lseek(map->memfd(), 0, SEEK_END)), 0xee);
    ASSERT_EQ(::pwrite(map->memfd(), noise.data(), noise.size(), 0), static_cast<ssize_t>(noise.size()));
    const auto again = Map::open(*domain, Fd(::dup(map->memfd())), map->spec());
    ASSERT_FALSE(again) << name(spec.type);
    EXPECT_EQ(again.error().code, EINVAL);
  }
}

// Links that lead in a circle: walks end.
TEST(Hostile, CirclesEnd) {
  const auto domain = *Domain::create();
  for (const MapSpec& spec : kSpecs) {
    const auto map = make(*domain, spec);
    Attack attack(*map, std::mt19937(7));
    attack.fill();
    const auto size = static_cast<std::size_t>(::lseek(map->memfd(), 0, SEEK_END));
    const std::uint32_t header_words = 32;  // leave the header's own words, not the state
    for (std::size_t at = (size > 3 * 4096 ? 4096 : 0) + header_words * 4; at < size; at += 4) {
      std::uint32_t word = 0;
      ASSERT_EQ(::pread(map->memfd(), &word, 4, static_cast<off_t>(at)), 4);
      if (word == 0 || word > 320) continue;
      word = 1 + word % 3;
      ASSERT_EQ(::pwrite(map->memfd(), &word, 4, static_cast<off_t>(at)), 4);
    }
    for (std::size_t i = 0; i < 64; ++i) attack.operate(i % 17);
  }
}

}  // namespace
}  // namespace skep::maps
