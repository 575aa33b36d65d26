// The batch commands: errors against the kernel, and walks that see every element.
#include <map>
#include <numeric>

#include "base/errno.h"
#include "hive/testing.h"

namespace skep::hive::testing {
namespace {

using spec::Command;
using spec::MapType;

struct Batch {
  std::vector<std::uint32_t> keys = std::vector<std::uint32_t>(64);
  std::vector<std::uint64_t> values = std::vector<std::uint64_t>(64);
  std::uint64_t cursor = 0;
  std::uint32_t count = 0;  // written back

  long ask(Bpf& bpf, Command command, long map, std::uint32_t how_many, bool go_on = false,
           std::uint64_t elem_flags = 0, std::uint64_t flags = 0) {
    spec::Attr attr{};
    const bool looks = command == Command::MapLookupBatch || command == Command::MapLookupAndDeleteBatch;
    attr.batch.map_fd = static_cast<std::uint32_t>(map);
    attr.batch.keys = address(keys.data());
    attr.batch.values = command == Command::MapDeleteBatch ? 0 : address(values.data());
    attr.batch.in_batch = looks && go_on ? address(&cursor) : 0;
    attr.batch.out_batch = looks ? address(&cursor) : 0;
    attr.batch.count = how_many;
    attr.batch.elem_flags = elem_flags;
    attr.batch.flags = flags;
    const long result = bpf(command, attr);
    count = attr.batch.count;
    return result;
  }
};

long filled(Bpf& bpf, Fds& fds, MapType type, std::uint32_t entries = 16) {
  const long map = fds.keep(create_map(bpf, {.type = type, .entries = entries}));
  for (std::uint32_t key = 0; key < entries; ++key) update(bpf, map, key, std::uint64_t{key} + 1000);
  return map;
}

Case one(const char* name, long expected, Command command, MapType type, std::uint32_t count,
         std::uint64_t elem_flags = 0, std::uint64_t flags = 0) {
  return {name, expected,
          [=](Bpf& b, Fds& f) { return Batch().ask(b, command, filled(b, f, type), count, false, elem_flags, flags); }};
}

TEST(MapBatch, Errors) {
  judge({
      one("part of an array", 0, Command::MapLookupBatch, MapType::Array, 4),
      one("more than an array has", -ENOENT, Command::MapLookupBatch, MapType::Array, 64),
      one("more than a hash has", -ENOENT, Command::MapLookupBatch, MapType::Hash, 64),
      one("nothing", 0, Command::MapLookupBatch, MapType::Hash, 0),
      one("element flags", -EINVAL, Command::MapLookupBatch, MapType::Hash, 4, 1),
      one("flags of a hash", -EINVAL, Command::MapLookupBatch, MapType::Hash, 4, 0, 1),
      one("lock", -EINVAL, Command::MapLookupBatch, MapType::Array, 4, spec::kLock),
      one("take all", -ENOENT, Command::MapLookupAndDeleteBatch, MapType::Hash, 64),
      one("take from an array", -kNotSupported, Command::MapLookupAndDeleteBatch, MapType::Array, 4),
      one("update", 0, Command::MapUpdateBatch, MapType::Array, 4),
      one("update with unknown flags", -EINVAL, Command::MapUpdateBatch, MapType::Array, 4, 8),
      one("delete from an array", -kNotSupported, Command::MapDeleteBatch, MapType::Array, 4),
      {"delete twice", -ENOENT,
       [](Bpf& b, Fds& f) {
         Batch batch;  // key 0, again and again
         const long result = batch.ask(b, Command::MapDeleteBatch, filled(b, f, MapType::Hash), 4);
         EXPECT_EQ(batch.count, 1U);
         return result;
       }},
      {"a queue", -kNotSupported,
       [](Bpf& b, Fds& f) {
         return Batch().ask(b, Command::MapLookupBatch, f.keep(create_map(b, {.type = MapType::Queue, .key = 0})), 4);
       }},
      {"no map", -EBADF, [](Bpf& b, Fds&) { return Batch().ask(b, Command::MapLookupBatch, kNoFd, 4); }},
      {"a cursor that was never given out", -ENOENT,
       [](Bpf& b, Fds& f) {
         Batch batch;
         batch.cursor = 0x7fffffff;
         return batch.ask(b, Command::MapLookupBatch, filled(b, f, MapType::Hash), 4, true);
       }},
      {"a read-only map", -EPERM,
       [](Bpf& b, Fds& f) {
         return Batch().ask(b, Command::MapUpdateBatch, f.keep(create_map(b, {.flags = spec::kRdonly})), 4);
       }},
  });
}

TEST(MapBatch, CountsTellHowFarItWent) {
  for (const MapType type : {MapType::Array, MapType::Hash}) {
    judge({{"16 of 64", 16, [type](Bpf& b, Fds& f) -> long {
              Batch batch;
              batch.ask(b, Command::MapLookupBatch, filled(b, f, type), 64);
              return batch.count;
            }}});
  }
}

using Seen = std::map<std::uint32_t, std::uint64_t>;

// Walks in steps until the end; every element once, with its value. Steps that are too small for a bucket are doubled.
// `between` is called after each step.
Seen walk(Bpf& bpf, Command command, long map, std::uint32_t step, const std::function<void(const Batch&)>& between) {
  Seen seen;
  Batch batch;
  bool go_on = false;
  long result = 0;
  for (int steps = 0; result == 0 && steps < 1000; ++steps) {
    result = batch.ask(bpf, command, map, step, go_on);
    go_on = true;
    for (std::uint32_t i = 0; i < batch.count; ++i)
      EXPECT_TRUE(seen.emplace(batch.keys[i], batch.values[i]).second) << batch.keys[i];
    if (result == -ENOSPC) {
      EXPECT_EQ(batch.count, 0U);
      step *= 2;
      result = 0;
    }
    between(batch);
  }
  EXPECT_EQ(result, -ENOENT);
  return seen;
}

constexpr auto kNothing = [](const Batch&) {};

TEST(MapBatch, WalksSeeEverythingOnce) {
  for (const MapType type : {MapType::Array, MapType::Hash, MapType::LruHash})
    for (const std::uint32_t step : {1U, 7U, 64U}) {
      SCOPED_TRACE(spec::name(type));
      judge({{"a walk", type == MapType::LruHash ? 0 : 100, [=](Bpf& bpf, Fds& fds) -> long {
                const Seen seen = walk(bpf, Command::MapLookupBatch, filled(bpf, fds, type, 100), step, kNothing);
                for (const auto& [key, value] : seen) EXPECT_EQ(value, key + 1000U);
                return static_cast<long>(seen.size());
              }}});
    }
}

TEST(MapBatch, WhatIsDeletedOnTheWayChangesNothing) {
  judge({{"delete what was seen", 100, [](Bpf& bpf, Fds& fds) -> long {
            const long map = filled(bpf, fds, MapType::Hash, 100);
            const auto remove = [&](const Batch& batch) {
              for (std::uint32_t i = 0; i < batch.count; ++i) EXPECT_EQ(erase(bpf, map, batch.keys[i]), 0);
            };
            return static_cast<long>(walk(bpf, Command::MapLookupBatch, map, 8, remove).size());
          }}});
}

TEST(MapBatch, CursorsOfHashesAreBuckets) {
  const auto cursor_after = [](std::uint32_t entries) {
    return [=](Bpf& bpf, Fds& fds) -> long {
      Batch batch;
      EXPECT_EQ(batch.ask(bpf, Command::MapLookupBatch, filled(bpf, fds, MapType::Hash, entries), 64), -ENOENT);
      return static_cast<long>(batch.cursor);
    };
  };
  const auto from = [](std::uint64_t cursor) {
    return [=](Bpf& bpf, Fds& fds) {
      Batch batch;
      batch.cursor = cursor;
      batch.ask(bpf, Command::MapLookupAndDeleteBatch, filled(bpf, fds, MapType::Hash, 16), 64, true);
      return static_cast<long>(batch.count);
    };
  };
  judge({{"the end of 16", 16, cursor_after(16)},
         {"the end of 33", 64, cursor_after(33)},
         {"from the start", 16, from(0)},
         {"from the end", 0, from(16)}});
}

TEST(MapBatch, TakingEmptiesTheMap) {
  for (const MapType type : {MapType::Hash, MapType::LruHash})
    judge({{"take", -ENOENT, [=](Bpf& bpf, Fds& fds) {
              const long map = filled(bpf, fds, type, 50);
              EXPECT_GE(walk(bpf, Command::MapLookupAndDeleteBatch, map, 8, kNothing).size(), 40U);
              EXPECT_EQ(lookup<std::uint64_t>(bpf, map, 7U), std::nullopt);
              return Batch().ask(bpf, Command::MapLookupBatch, map, 4);
            }}});
}

TEST(MapBatch, MapsTakenOutOfMapsAreLetGo) {
  judge({{"take", 1, [](Bpf& bpf, Fds& fds) -> long {
            const long inner = create_map(bpf, {});
            const long outer = fds.keep(create_map(
                bpf, {.type = MapType::HashOfMaps, .value = 4, .flags = 0, .inner = static_cast<int>(inner)}));
            EXPECT_EQ(update(bpf, outer, 5U, static_cast<std::uint32_t>(inner)), 0);
            ::close(static_cast<int>(inner));
            const auto id = lookup<std::uint32_t>(bpf, outer, 5U).value_or(0);
            EXPECT_NE(id, 0U);
            Batch batch;
            EXPECT_EQ(batch.ask(bpf, Command::MapLookupAndDeleteBatch, outer, 4), -ENOENT);
            EXPECT_EQ(batch.keys[0], 5U);
            EXPECT_EQ(static_cast<std::uint32_t>(batch.values[0]), id);
            EXPECT_EQ(lookup<std::uint32_t>(bpf, outer, 5U), std::nullopt);
            return batch.count;
          }}});
}

// More bytes than are copied at once, a bucket of which may be more than that too.
TEST(MapBatch, LargeValues) {
  constexpr std::uint32_t kBytes = 200'000, kEntries = 12;
  judge({{"take", kEntries, [](Bpf& bpf, Fds& fds) -> long {
            const long map = fds.keep(create_map(bpf, {.type = MapType::Hash, .value = kBytes, .entries = kEntries}));
            std::vector<std::uint8_t> values(std::size_t{kBytes} * kEntries);
            for (std::uint32_t key = 0; key < kEntries; ++key) {
              std::vector<std::uint8_t> value(kBytes, static_cast<std::uint8_t>(key + 1));
              spec::Attr attr = elem_attr(map, &key, value.data());
              EXPECT_EQ(bpf(Command::MapUpdateElem, attr), 0);
            }
            std::uint32_t keys[kEntries] = {};
            std::uint64_t cursor = 0;
            spec::Attr attr{};
            attr.batch.map_fd = static_cast<std::uint32_t>(map);
            attr.batch.keys = address(keys);
            attr.batch.values = address(values.data());
            attr.batch.out_batch = address(&cursor);
            attr.batch.count = kEntries;
            const long result = bpf(Command::MapLookupAndDeleteBatch, attr);
            EXPECT_TRUE(result == 0 || result == -ENOENT) << result;
            for (std::size_t i = 0; i < kEntries; ++i) {
              EXPECT_EQ(values[i * kBytes], keys[i] + 1);
              EXPECT_EQ(values[(i + 1) * kBytes - 1], keys[i] + 1);
            }
            return attr.batch.count;
          }}});
}

TEST(MapBatch, UpdatesAreThere) {
  HiveBpf bpf;
  Fds fds;
  const long map = fds.keep(create_map(bpf, {.type = MapType::Hash, .entries = 64}));
  Batch batch;
  std::iota(batch.keys.begin(), batch.keys.end(), 0U);
  std::iota(batch.values.begin(), batch.values.end(), 500U);
  ASSERT_EQ(batch.ask(bpf, Command::MapUpdateBatch, map, 64), 0);
  EXPECT_EQ(batch.count, 64U);
  EXPECT_EQ(lookup<std::uint64_t>(bpf, map, 63U), 563U);
}

}  // namespace
}  // namespace skep::hive::testing
