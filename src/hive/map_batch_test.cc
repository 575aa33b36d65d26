// The batch commands: errors against the kernel, and walks that see every element.
#include <map>
#include <numeric>

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
      one("take from an array", -maps::kNotSupported, Command::MapLookupAndDeleteBatch, MapType::Array, 4),
      one("update", 0, Command::MapUpdateBatch, MapType::Array, 4),
      one("update with unknown flags", -EINVAL, Command::MapUpdateBatch, MapType::Array, 4, 8),
      one("delete from an array", -maps::kNotSupported, Command::MapDeleteBatch, MapType::Array, 4),
      {"delete twice", -ENOENT,
       [](Bpf& b, Fds& f) {
         Batch batch;  // key 0, again and again
         const long result = batch.ask(b, Command::MapDeleteBatch, filled(b, f, MapType::Hash), 4);
         EXPECT_EQ(batch.count, 1U);
         return result;
       }},
      {"a queue", -maps::kNotSupported,
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

// Walks in steps until the end; every element once, with its value.
std::map<std::uint32_t, std::uint64_t> walk(Bpf& bpf, Command command, long map, std::uint32_t step) {
  std::map<std::uint32_t, std::uint64_t> seen;
  Batch batch;
  bool go_on = false;
  long result = 0;
  for (int steps = 0; result == 0 && steps < 1000; ++steps) {
    result = batch.ask(bpf, command, map, step, go_on);
    go_on = true;
    for (std::uint32_t i = 0; i < batch.count; ++i)
      EXPECT_TRUE(seen.emplace(batch.keys[i], batch.values[i]).second) << batch.keys[i];
  }
  EXPECT_EQ(result, -ENOENT);
  return seen;
}

TEST(MapBatch, WalksSeeEverythingOnce) {
  HiveBpf bpf;
  for (const MapType type : {MapType::Array, MapType::Hash, MapType::LruHash}) {
    Fds fds;
    const long map = filled(bpf, fds, type, 100);
    const auto seen = walk(bpf, Command::MapLookupBatch, map, 7);
    EXPECT_EQ(seen.size(), 100U) << spec::name(type);
    for (const auto& [key, value] : seen) EXPECT_EQ(value, key + 1000U);
  }
}

TEST(MapBatch, TakingEmptiesTheMap) {
  HiveBpf bpf;
  Fds fds;
  const long map = filled(bpf, fds, MapType::Hash, 50);
  EXPECT_EQ(walk(bpf, Command::MapLookupAndDeleteBatch, map, 8).size(), 50U);
  EXPECT_EQ(Batch().ask(bpf, Command::MapLookupBatch, map, 4), -ENOENT);
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
