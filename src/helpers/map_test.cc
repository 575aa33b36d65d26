// Helpers on real maps: elements, walks, ring buffer records, locks.
#include <algorithm>
#include <map>

#include "helpers/testing.h"
#include "maps/domain.h"
#include "maps/ring_map.h"

namespace skep::helpers::testing {
namespace {

using spec::MapType;

struct MapHelpers : ::testing::Test {
  void SetUp() override { domain = std::move(*maps::Domain::create()); }
  std::unique_ptr<maps::Map> make(MapType type, std::uint32_t key, std::uint32_t value, std::uint32_t entries,
                                  const spec::MapSpec* inner = nullptr) {
    spec::MapSpec spec;
    spec.type = type;
    spec.key_size = key;
    spec.value_size = value;
    spec.max_entries = entries;
    auto map = maps::Map::create(*domain, spec, spec::MapId{7}, inner);
    EXPECT_TRUE(map) << (map ? "" : map.error().message);
    return map ? std::move(*map) : nullptr;
  }
  std::unique_ptr<maps::Domain> domain;
  TestHost host;
  exec::Call call{host};
};

TEST_F(MapHelpers, Elements) {
  const auto map = make(MapType::Hash, 4, 8, 10);
  ASSERT_NE(map, nullptr);
  const std::uint32_t key = 5;
  const std::uint64_t value = 99;
  EXPECT_EQ(invoke(call, HelperId::map_lookup_elem, map.get(), &key), 0);
  EXPECT_EQ(invoke(call, HelperId::map_update_elem, map.get(), &key, &value, spec::kExist), -ENOENT);
  EXPECT_EQ(invoke(call, HelperId::map_update_elem, map.get(), &key, &value, 0), 0);
  const auto found = static_cast<std::uint64_t>(invoke(call, HelperId::map_lookup_elem, map.get(), &key));
  ASSERT_NE(found, 0U);
  EXPECT_EQ(*reinterpret_cast<const std::uint64_t*>(found), 99U);
  EXPECT_EQ(invoke(call, HelperId::map_delete_elem, map.get(), &key), 0);
  EXPECT_EQ(invoke(call, HelperId::map_delete_elem, map.get(), &key), -ENOENT);
}

TEST_F(MapHelpers, QueueOrder) {
  const auto map = make(MapType::Queue, 0, 4, 2);
  ASSERT_NE(map, nullptr);
  std::uint32_t value = 1;
  EXPECT_EQ(invoke(call, HelperId::map_push_elem, map.get(), &value, 0), 0);
  value = 2;
  EXPECT_EQ(invoke(call, HelperId::map_push_elem, map.get(), &value, 0), 0);
  EXPECT_EQ(invoke(call, HelperId::map_push_elem, map.get(), &value, 0), -E2BIG);
  EXPECT_EQ(invoke(call, HelperId::map_peek_elem, map.get(), &value), 0);
  EXPECT_EQ(value, 1U);
  EXPECT_EQ(invoke(call, HelperId::map_pop_elem, map.get(), &value), 0);
  EXPECT_EQ(invoke(call, HelperId::map_pop_elem, map.get(), &value), 0);
  EXPECT_EQ(value, 2U);
  EXPECT_EQ(invoke(call, HelperId::map_pop_elem, map.get(), &value), -ENOENT);
}

TEST_F(MapHelpers, OtherCpusValues) {
  const auto map = make(MapType::PercpuArray, 4, 8, 2);
  ASSERT_NE(map, nullptr);
  const std::uint32_t key = 1;
  const std::int64_t own = invoke(call, HelperId::map_lookup_elem, map.get(), &key);
  EXPECT_NE(own, 0);
  EXPECT_EQ(invoke(call, HelperId::map_lookup_percpu_elem, map.get(), &key, 0), own);
  EXPECT_EQ(invoke(call, HelperId::map_lookup_percpu_elem, map.get(), &key, domain->cpus()), 0);
  EXPECT_EQ(invoke(call, HelperId::map_lookup_percpu_elem, map.get(), &key, ~0U), 0);
}

TEST_F(MapHelpers, InnerMapsComeFromTheHost) {
  const auto inner = make(MapType::Array, 4, 4, 1);
  const auto outer = make(MapType::ArrayOfMaps, 4, 4, 2, &inner->spec());
  ASSERT_NE(outer, nullptr);
  const std::uint32_t key = 1;
  EXPECT_EQ(invoke(call, HelperId::map_lookup_elem, outer.get(), &key), 0);
  ASSERT_EQ(outer->set_reference(reinterpret_cast<const std::byte*>(&key), {7, 1}, 0, nullptr), 0);
  host.inner_id = 7;
  host.inner = inner.get();
  EXPECT_EQ(invoke(call, HelperId::map_lookup_elem, outer.get(), &key), static_cast<std::int64_t>(reg(inner.get())));
}

// ---- walks
struct Walk {
  std::map<std::uint32_t, std::uint64_t> seen;
  std::size_t stop_after = 1000;
  bool delete_each = false;
};
std::uint64_t visit(exec::Call& call, std::uint64_t, std::uint64_t map, std::uint64_t key, std::uint64_t value,
                    std::uint64_t context, std::uint64_t) noexcept {
  Walk& walk = *reinterpret_cast<Walk*>(context);
  walk.seen[*reinterpret_cast<std::uint32_t*>(key)] += *reinterpret_cast<std::uint64_t*>(value);
  if (walk.delete_each) invoke(call, HelperId::map_delete_elem, map, key);
  return walk.seen.size() >= walk.stop_after ? 1 : 0;
}

TEST_F(MapHelpers, WalksEveryElement) {
  call.callback = visit;
  for (const MapType type :
       {MapType::Array, MapType::Hash, MapType::LruHash, MapType::PercpuHash, MapType::PercpuArray}) {
    const auto map = make(type, 4, 8, 20);
    ASSERT_NE(map, nullptr);
    for (std::uint32_t key = 0; key < 20; ++key) {
      const std::uint64_t value = key + 1;
      ASSERT_EQ(invoke(call, HelperId::map_update_elem, map.get(), &key, &value, 0), 0);
    }
    Walk walk;
    EXPECT_EQ(invoke(call, HelperId::for_each_map_elem, map.get(), 1, &walk, 0), 20);
    EXPECT_EQ(walk.seen.size(), 20U);
    for (const auto& [key, value] : walk.seen) EXPECT_EQ(value, key + 1);
    Walk shorter{.seen = {}, .stop_after = 3};
    EXPECT_EQ(invoke(call, HelperId::for_each_map_elem, map.get(), 1, &shorter, 0), 3);
    EXPECT_EQ(invoke(call, HelperId::for_each_map_elem, map.get(), 1, &shorter, 1), -EINVAL);
  }
}

TEST_F(MapHelpers, WalksMayDeleteWhatTheySee) {
  call.callback = visit;
  const auto map = make(MapType::Hash, 4, 8, 50);
  ASSERT_NE(map, nullptr);
  for (std::uint32_t key = 0; key < 50; ++key) {
    const std::uint64_t value = 1;
    ASSERT_EQ(invoke(call, HelperId::map_update_elem, map.get(), &key, &value, 0), 0);
  }
  Walk walk{.seen = {}, .stop_after = 1000, .delete_each = true};
  EXPECT_EQ(invoke(call, HelperId::for_each_map_elem, map.get(), 1, &walk, 0), 50);
  Walk again;
  EXPECT_EQ(invoke(call, HelperId::for_each_map_elem, map.get(), 1, &again, 0), 0);
}

TEST_F(MapHelpers, LongKeysAreWalkedToo) {
  call.callback = visit;
  const auto map = make(MapType::Hash, 700, 8, 3);
  ASSERT_NE(map, nullptr);
  for (std::uint32_t i = 0; i < 3; ++i) {
    Buffer key(700);
    store(key.data(), i);
    const std::uint64_t value = 1;
    ASSERT_EQ(invoke(call, HelperId::map_update_elem, map.get(), key.data(), &value, 0), 0);
  }
  Walk walk;
  EXPECT_EQ(invoke(call, HelperId::for_each_map_elem, map.get(), 1, &walk, 0), 3);
  EXPECT_EQ(walk.seen.size(), 3U);
}

TEST_F(MapHelpers, OtherMapsAreNotWalked) {
  call.callback = visit;
  const auto map = make(MapType::Queue, 0, 4, 2);
  EXPECT_EQ(invoke(call, HelperId::for_each_map_elem, map.get(), 1, nullptr, 0), -EINVAL);
}

// ---- ring buffers
std::vector<Buffer> drained(maps::Map& map) {
  std::vector<Buffer> records;
  static_cast<maps::RingMap&>(map).drain(
      [](void* context, Bytes record) {
        static_cast<std::vector<Buffer>*>(context)->emplace_back(record.begin(), record.end());
      },
      &records);
  return records;
}

TEST_F(MapHelpers, RingMapferRecords) {
  const auto map = make(MapType::Ringbuf, 0, 0, 4096);
  ASSERT_NE(map, nullptr);
  const auto reserve = [&](std::size_t size, int flags = 0) {
    return reinterpret_cast<std::byte*>(invoke(call, HelperId::ringbuf_reserve, map.get(), size, flags));
  };
  EXPECT_EQ(reserve(8, 1), nullptr);
  EXPECT_EQ(reserve(5000), nullptr);
  std::byte* const first = reserve(4);
  std::byte* const second = reserve(4);
  ASSERT_NE(first, nullptr);
  ASSERT_NE(second, nullptr);
  store(first, std::uint32_t{1});
  store(second, std::uint32_t{2});
  invoke(call, HelperId::ringbuf_discard, second, 0);
  invoke(call, HelperId::ringbuf_submit, first, 0);
  invoke(call, HelperId::ringbuf_submit, first, 0);  // no longer this run's
  const Buffer data = packet::testing::hex("0a0b0c");
  EXPECT_EQ(invoke(call, HelperId::ringbuf_output, map.get(), data.data(), 3, 0), 0);
  EXPECT_EQ(invoke(call, HelperId::ringbuf_output, map.get(), data.data(), 3, 4), -EINVAL);
  EXPECT_EQ(invoke(call, HelperId::ringbuf_query, map.get(), 1), 4096);
  EXPECT_EQ(drained(*map), (std::vector<Buffer>{packet::testing::hex("01000000"), data}));
}

TEST_F(MapHelpers, ReservationsOfARunAreBounded) {
  const auto map = make(MapType::Ringbuf, 0, 0, 4096);
  std::vector<std::int64_t> records;
  for (std::size_t i = 0; i < exec::Reservations::kMost; ++i)
    records.push_back(invoke(call, HelperId::ringbuf_reserve, map.get(), 8, 0));
  EXPECT_EQ(std::ranges::count(records, 0), 0);
  EXPECT_EQ(invoke(call, HelperId::ringbuf_reserve, map.get(), 8, 0), 0);
  for (const std::int64_t record : records) invoke(call, HelperId::ringbuf_submit, record, 0);
  EXPECT_EQ(drained(*map).size(), exec::Reservations::kMost);
}

TEST_F(MapHelpers, AbandonedRecordsDoNotBlockTheBuffer) {
  const auto map = make(MapType::Ringbuf, 0, 0, 4096);
  for (int i = 0; i < 3; ++i) ASSERT_NE(invoke(call, HelperId::ringbuf_reserve, map.get(), 8, 0), 0);
  abandon(call);
  EXPECT_TRUE(call.reservations.empty());
  const Buffer data(4, std::byte{1});
  EXPECT_EQ(invoke(call, HelperId::ringbuf_output, map.get(), data.data(), 4, 0), 0);
  EXPECT_EQ(drained(*map), std::vector<Buffer>{data});
}

TEST_F(MapHelpers, RingMapferHelpersKnowTheirMaps) {
  const auto map = make(MapType::Array, 4, 8, 1);
  const Buffer data(8);
  EXPECT_EQ(invoke(call, HelperId::ringbuf_output, map.get(), data.data(), 8, 0), -EINVAL);
  EXPECT_EQ(invoke(call, HelperId::ringbuf_reserve, map.get(), 8, 0), 0);
  EXPECT_EQ(invoke(call, HelperId::ringbuf_query, map.get(), 1), 0);
}

TEST_F(MapHelpers, SpinLocksHoldTheirWord) {
  std::uint32_t word = 0;
  invoke(call, HelperId::spin_lock, &word);
  EXPECT_NE(word, 0U);
  invoke(call, HelperId::spin_unlock, &word);
  EXPECT_EQ(word, 0U);
  word = 1;  // another thread's
  invoke(call, HelperId::spin_unlock, &word);
  EXPECT_EQ(word, 1U);
}

}  // namespace
}  // namespace skep::helpers::testing
