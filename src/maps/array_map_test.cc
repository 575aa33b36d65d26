// The program side of arrays, their memory, and what users map.
#include "maps/array_map.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <string>
#include <vector>

#include "maps/domain.h"

namespace skep::maps {
namespace {

using spec::MapType;

const std::byte* bytes(const std::uint32_t& key) { return reinterpret_cast<const std::byte*>(&key); }

class ArrayTest : public testing::Test {
 protected:
  std::unique_ptr<Map> make(MapType type, std::uint32_t value_size, std::uint32_t entries, std::uint32_t flags = 0) {
    auto map = Map::create(
        *domain_, {.type = type, .key_size = 4, .value_size = value_size, .max_entries = entries, .flags = flags},
        spec::MapId{1});
    EXPECT_TRUE(map) << map.error().message;
    return *std::move(map);
  }
  std::unique_ptr<Domain> domain_ = *Domain::create();
};

TEST_F(ArrayTest, TheRecipeFindsWhatLookupFinds) {
  for (const MapType type : {MapType::Array, MapType::PercpuArray})
    for (const std::uint32_t size : {1U, 8U, 20U, 4096U}) {
      const auto map = make(type, size, 5);
      const auto found = recipe(*map);
      ASSERT_TRUE(found);
      EXPECT_EQ(found->entries, 5U);
      for (std::uint32_t i = 0; i < 5; ++i)
        for (unsigned cpu = 0; cpu < 2; ++cpu)
          EXPECT_EQ(found->base + i * found->stride + cpu * found->per_cpu,
                    reinterpret_cast<std::uint64_t>(map->lookup(bytes(i), cpu)));
    }
}

TEST_F(ArrayTest, ValuesLieEightBytesApartAndAreKnown) {
  const auto map = make(MapType::Array, 5, 3);
  std::byte* first = map->lookup(bytes(0), 0);
  EXPECT_EQ(map->lookup(bytes(1), 0), first + 8);
  EXPECT_EQ(map->lookup(bytes(3), 0), nullptr);
  EXPECT_EQ(map->value_at(first + 12)->data(), first + 8);
  EXPECT_EQ(map->value_at(first + 12)->size(), 5U);
  EXPECT_FALSE(map->value_at(first + 13)) << "padding is no value";
  EXPECT_FALSE(map->value_at(first + 24));
  EXPECT_FALSE(map->value_at(first - 1));
  EXPECT_EQ(map->direct_value(), nullptr);
  const auto single = make(MapType::Array, 100, 1);
  EXPECT_EQ(single->direct_value(), single->lookup(bytes(0), 0));
}

TEST_F(ArrayTest, UsersMapTheDataOfAnMmapableArray) {
  const auto map = make(MapType::Array, 100, 100, spec::kMmapable);
  EXPECT_EQ(map->mmap_bytes(), round_up(104 * 100, 4096));
  EXPECT_EQ(make(MapType::Array, 100, 100)->mmap_bytes(), 0U);
  const Fd file(::open(("/proc/self/fd/" + std::to_string(map->memfd())).c_str(), O_RDWR | O_CLOEXEC));
  void* data = ::mmap(nullptr, map->mmap_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  ASSERT_NE(data, MAP_FAILED);
  static_cast<std::byte*>(data)[2 * 104] = std::byte{42};
  EXPECT_EQ(*map->lookup(bytes(2), 0), std::byte{42});
  ::munmap(data, map->mmap_bytes());
}

TEST_F(ArrayTest, CpusHaveTheirOwnValues) {
  const auto map = make(MapType::PercpuArray, 8, 3);
  const std::uint64_t five = 5;
  ASSERT_EQ(map->update(bytes(1), reinterpret_cast<const std::byte*>(&five), 0, 0), 0);
  std::vector<std::uint64_t> all(domain_->cpus(), 99);
  EXPECT_EQ(map->syscall_value_size(), 8 * all.size());
  ASSERT_EQ(map->copy_value(bytes(1), reinterpret_cast<std::byte*>(all.data()), 0), 0);
  EXPECT_EQ(all[0], 5U);
  for (std::size_t cpu = 1; cpu < all.size(); ++cpu) EXPECT_EQ(all[cpu], 0U);
  for (std::size_t cpu = 0; cpu < all.size(); ++cpu) all[cpu] = 10 + cpu;
  ASSERT_EQ(map->update_all(bytes(1), reinterpret_cast<std::byte*>(all.data()), 0), 0);
  for (unsigned cpu = 0; cpu < all.size(); ++cpu) {
    EXPECT_EQ(load<std::uint64_t>(map->lookup(bytes(1), cpu)), 10U + cpu);
    EXPECT_EQ(map->lookup_percpu(bytes(1), cpu), map->lookup(bytes(1), cpu));
    EXPECT_EQ(map->value_at(map->lookup(bytes(2), cpu) + 7)->data(), map->lookup(bytes(2), cpu));
  }
  EXPECT_EQ(map->lookup_percpu(bytes(1), domain_->cpus()), nullptr);
  EXPECT_EQ(map->lookup_percpu(bytes(3), 0), nullptr);
}

struct Visited {
  std::vector<std::uint32_t> keys;
  std::size_t most;
  static std::uint64_t visit(void* context, std::byte* key, std::byte*) noexcept {
    auto& self = *static_cast<Visited*>(context);
    self.keys.push_back(load<std::uint32_t>(key));
    return self.keys.size() == self.most ? 1 : 0;
  }
};

TEST_F(ArrayTest, ForEachVisitsInOrderUntilToldToStop) {
  for (const MapType type : {MapType::Array, MapType::PercpuArray}) {
    const auto map = make(type, 4, 5);
    Visited all{{}, 100};
    EXPECT_EQ(map->for_each(Visited::visit, &all, 0), 5);
    EXPECT_EQ(all.keys, (std::vector<std::uint32_t>{0, 1, 2, 3, 4}));
    Visited some{{}, 2};
    EXPECT_EQ(map->for_each(Visited::visit, &some, 0), 2);
  }
  Visited none{{}, 1};
  EXPECT_EQ(make(MapType::ProgArray, 4, 2)->for_each(Visited::visit, &none, 0), -EINVAL);
}

}  // namespace
}  // namespace skep::maps
