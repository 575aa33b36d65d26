// skep/map.h on a hive and, where it is there, on the kernel.
#include "skep/map.h"

#include <gtest/gtest.h>

#include <iterator>
#include <set>

#include "spec/types.h"

namespace skep {
namespace {

constexpr auto type_id(spec::MapType type) { return static_cast<std::uint32_t>(type); }

struct Flow {
  std::uint32_t address;
  std::uint16_t port, zero;
  friend auto operator<=>(const Flow&, const Flow&) = default;
};
struct Count {
  std::uint64_t packets, bytes;
  friend bool operator==(const Count&, const Count&) = default;
};

// Once with a hive, once with the kernel's bpf(2).
class TypedMap : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GetParam()) {
      hive_ = skep_hive_new(SKEP_ENGINE_INTERP);
      ASSERT_NE(hive_, nullptr);
    } else if (!Map<std::uint32_t, std::uint32_t>::create(nullptr,
                                                          {.type = type_id(spec::MapType::Array), .max_entries = 1})) {
      GTEST_SKIP() << "no bpf(2) here";
    }
  }
  void TearDown() override { skep_hive_free(hive_); }
  skep_hive* hive_ = nullptr;
};

TEST_P(TypedMap, HashElements) {
  auto map = Map<Flow, Count>::create(hive_, {.type = type_id(spec::MapType::Hash), .max_entries = 3, .name = "flows"});
  ASSERT_TRUE(map) << map.error().message;
  const Flow a{1, 80, 0}, b{2, 80, 0};
  EXPECT_FALSE(map->lookup(a));
  EXPECT_EQ(map->at(a).error(), std::errc::no_such_file_or_directory);
  EXPECT_EQ(map->replace(a, {1, 2}), std::errc::no_such_file_or_directory);
  EXPECT_FALSE(map->insert(a, {1, 2}));
  EXPECT_EQ(map->insert(a, {3, 4}), std::errc::file_exists);
  EXPECT_EQ(map->lookup(a), (Count{1, 2}));
  EXPECT_FALSE(map->replace(a, {3, 4}));
  EXPECT_EQ(*map->at(a), (Count{3, 4}));
  EXPECT_FALSE(map->update(b, {5, 6}));
  EXPECT_TRUE(map->contains(b));
  EXPECT_EQ(map->take(b), (Count{5, 6}));
  EXPECT_FALSE(map->take(b));
  EXPECT_EQ(map->erase(b), std::errc::no_such_file_or_directory);
  EXPECT_FALSE(map->erase(a));
  for (std::uint32_t i = 0; i < 3; ++i) EXPECT_FALSE(map->update({i, 1, 0}, {i, i}));
  EXPECT_EQ(map->update({9, 9, 0}, {}), std::errc::argument_list_too_long);
  std::set<Flow> seen;
  for (const auto& [key, value] : *map) {
    EXPECT_EQ(value.packets, key.address);
    EXPECT_TRUE(seen.insert(key).second);
  }
  EXPECT_EQ(seen.size(), 3U);
}

TEST_P(TypedMap, ArraysHaveAllTheirElements) {
  auto map =
      Map<std::uint32_t, std::uint64_t>::create(hive_, {.type = type_id(spec::MapType::Array), .max_entries = 4});
  ASSERT_TRUE(map) << map.error().message;
  EXPECT_EQ(map->lookup(3), 0U);
  EXPECT_FALSE(map->update(3, 7));
  EXPECT_EQ(map->lookup(3), 7U);
  EXPECT_EQ(map->update(4, 7), std::errc::argument_list_too_long);
  EXPECT_EQ(map->erase(3), std::errc::invalid_argument);
  EXPECT_EQ(std::ranges::distance(map->begin(), map->end()), 4);
}

TEST_P(TypedMap, PerCpuValues) {
  using Counters = Map<std::uint32_t, PerCpu<std::uint32_t>>;
  auto map =
      Counters::create(hive_, {.type = type_id(spec::MapType::PercpuHash), .max_entries = 4, .name = "counters"});
  ASSERT_TRUE(map) << map.error().message;
  PerCpu<std::uint32_t> values(map->cpus());
  for (unsigned cpu = 0; cpu < values.cpus(); ++cpu) values.set(cpu, cpu + 1);
  EXPECT_FALSE(map->update(5, values));
  const auto read = map->lookup(5);
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, values);
  EXPECT_EQ(read->sum(), map->cpus() * (map->cpus() + 1) / 2);
  EXPECT_EQ(map->update(5, PerCpu<std::uint32_t>(map->cpus() + 1)), std::errc::invalid_argument);
}

TEST_P(TypedMap, QueuesAndStacks) {
  for (const auto& [type, first] : {std::pair{spec::MapType::Queue, 1U}, {spec::MapType::Stack, 2U}}) {
    auto queue = Queue<std::uint32_t>::create(hive_, {.type = type_id(type), .max_entries = 2});
    ASSERT_TRUE(queue) << queue.error().message;
    EXPECT_FALSE(queue->pop());
    EXPECT_FALSE(queue->push(1));
    EXPECT_FALSE(queue->push(2));
    EXPECT_EQ(queue->push(3), std::errc::argument_list_too_long);
    EXPECT_EQ(queue->peek(), first);
    EXPECT_EQ(queue->pop(), first);
    EXPECT_EQ(queue->pop(), 3 - first);
    EXPECT_FALSE(queue->peek());
  }
}

// A descriptor of a map of (Flow, Count), opened as something else.
TEST_P(TypedMap, SizesAreChecked) {
  const int fd = map_detail::create(hive_, {.type = type_id(spec::MapType::Hash), .max_entries = 1, .name = "flows"},
                                    sizeof(Flow), sizeof(Count));
  ASSERT_GE(fd, 0);
  const auto key = Map<std::uint32_t, Count>::open(hive_, fd);
  ASSERT_FALSE(key);
  EXPECT_EQ(key.error().code, EINVAL);
  EXPECT_EQ(key.error().message, "map flows: keys have 8 bytes, and the type given for them has 4 bytes");
  const auto value = Map<Flow, std::uint8_t>::open(hive_, fd);
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().message, "map flows: values have 16 bytes, and the type given for them has 1 byte");
  const auto percpu = Map<Flow, PerCpu<Count>>::open(hive_, fd);
  ASSERT_FALSE(percpu);
  EXPECT_NE(percpu.error().message.find("one value for all CPUs"), std::string::npos);
  auto right = Map<Flow, Count>::open(hive_, fd);
  ASSERT_TRUE(right) << right.error().message;
  ::close(fd);
  EXPECT_FALSE(right->update({1, 2, 0}, {3, 4})) << "a Map needs the descriptor no longer";
  const auto none = Map<Flow, Count>::open(hive_, STDIN_FILENO);
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().message, "");
}

INSTANTIATE_TEST_SUITE_P(Everywhere, TypedMap, testing::Values(true, false),
                         [](const auto& of) { return of.param ? "Hive" : "Kernel"; });

TEST(TypedMap, PerCpuMapsSaySo) {
  skep_hive* hive = skep_hive_new(SKEP_ENGINE_INTERP);
  const int fd = map_detail::create(hive, {.type = type_id(spec::MapType::PercpuArray), .max_entries = 1}, 4, 8);
  const auto plain = Map<std::uint32_t, std::uint64_t>::open(hive, fd);
  ASSERT_FALSE(plain);
  EXPECT_NE(plain.error().message.find("a value for each CPU"), std::string::npos);
  ::close(fd);
  skep_hive_free(hive);
}

TEST(TypedMap, ValuesInPlace) {
  skep_hive* hive = skep_hive_new(SKEP_ENGINE_INTERP);
  auto map = Map<std::uint32_t, std::uint64_t>::create(hive, {.type = type_id(spec::MapType::Hash), .max_entries = 4});
  ASSERT_TRUE(map) << map.error().message;
  EXPECT_EQ(map->find(1), nullptr);
  ASSERT_FALSE(map->update(1, 10));
  std::uint64_t* value = map->find(1);
  ASSERT_NE(value, nullptr);
  __atomic_fetch_add(value, 5, __ATOMIC_RELAXED);
  EXPECT_EQ(map->lookup(1), 15U);
  skep_hive_free(hive);
  EXPECT_EQ(map->lookup(1), 15U) << "a Map keeps what it needs";
}

}  // namespace
}  // namespace skep
