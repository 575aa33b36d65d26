// What the element commands answer: sequences of steps as data, put to our maps and to the running kernel's.
#include <gtest/gtest.h>

#include "base/errno.h"
#include "maps/subjects.h"

namespace skep::maps {
namespace {

using enum spec::MapType;
using spec::MapSpec;

enum Op : std::uint8_t { kLookup, kUpdate, kDelete, kTake, kNext, kFirst };

// Keys and values are their first 8 bytes; the rest is zero. For kLookup, kTake, kNext and kFirst `value` is what must
// come out when the result is 0.
struct Step {
  Op op;
  std::uint64_t key;
  std::uint64_t value;
  std::uint64_t flags;
  int result;
};

struct Case {
  const char* what;
  MapSpec spec;
  std::vector<Step> steps;
};

constexpr std::uint64_t kBoth = spec::kNoExist | spec::kExist;

std::uint64_t prefix(std::uint32_t bits, std::uint32_t address) { return bits | std::uint64_t{from_be(address)} << 32; }

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const auto type : {Hash, PercpuHash, LruHash, LruPercpuHash}) {
    const bool lru = type == LruHash || type == LruPercpuHash;
    all.push_back({"hash flags",
                   {.type = type, .key_size = 4, .value_size = 8, .max_entries = 64},
                   {{kLookup, 1, 0, 0, -ENOENT},
                    {kDelete, 1, 0, 0, -ENOENT},
                    {kTake, 1, 0, 0, -ENOENT},
                    {kFirst, 0, 0, 0, -ENOENT},
                    {kNext, 1, 0, 0, -ENOENT},
                    {kUpdate, 1, 11, spec::kExist, -ENOENT},
                    {kUpdate, 1, 11, kBoth, -EINVAL},
                    {kUpdate, 1, 11, 8, -EINVAL},
                    {kUpdate, 1, 11, 1ULL << 40, -EINVAL},
                    {kUpdate, 1, 11, spec::kLock, -EINVAL},
                    {kUpdate, 1, 11, spec::kNoExist, 0},
                    {kUpdate, 1, 12, spec::kNoExist, -EEXIST},
                    {kLookup, 1, 11, 0, 0},
                    {kLookup, 1, 0, spec::kLock, -EINVAL},
                    {kLookup, 1, 0, spec::kNoExist, -EINVAL},
                    {kUpdate, 1, 13, spec::kExist, 0},
                    {kLookup, 1, 13, 0, 0},
                    {kFirst, 0, 1, 0, 0},
                    {kNext, 1, 0, 0, -ENOENT},
                    {kNext, 99, 1, 0, 0},
                    {kTake, 1, 0, spec::kLock, -EINVAL},
                    {kTake, 1, 0, spec::kNoExist, -EINVAL},
                    {kTake, 1, 13, 0, 0},
                    {kLookup, 1, 0, 0, -ENOENT},
                    {kUpdate, 1, 14, 0, 0},
                    {kDelete, 1, 0, 0, 0},
                    {kDelete, 1, 0, 0, -ENOENT}}});
    if (!lru)
      all.push_back({"full hash",
                     {.type = type, .key_size = 4, .value_size = 8, .max_entries = 2},
                     {{kUpdate, 1, 11, 0, 0},
                      {kUpdate, 2, 12, 0, 0},
                      {kUpdate, 3, 13, 0, -E2BIG},
                      {kUpdate, 3, 13, spec::kNoExist, -E2BIG},
                      {kUpdate, 3, 13, spec::kExist, -ENOENT},
                      {kUpdate, 1, 14, 0, 0},
                      {kUpdate, 1, 14, spec::kNoExist, -EEXIST},
                      {kDelete, 2, 0, 0, 0},
                      {kUpdate, 3, 13, 0, 0},
                      {kLookup, 1, 14, 0, 0},
                      {kLookup, 3, 13, 0, 0}}});
  }
  for (const auto type : {Array, PercpuArray})
    all.push_back({"array",
                   {.type = type, .key_size = 4, .value_size = 8, .max_entries = 2},
                   {{kLookup, 0, 0, 0, 0},
                    {kLookup, 2, 0, 0, -ENOENT},
                    {kLookup, 0, 0, spec::kLock, -EINVAL},
                    {kUpdate, 0, 7, 0, 0},
                    {kUpdate, 0, 8, spec::kExist, 0},
                    {kUpdate, 0, 9, spec::kNoExist, -EEXIST},
                    {kUpdate, 2, 9, 0, -E2BIG},
                    {kUpdate, 2, 9, spec::kNoExist, -E2BIG},
                    {kUpdate, 2, 9, kBoth, -EINVAL},
                    {kUpdate, 0, 9, spec::kLock, -EINVAL},
                    {kUpdate, 0, 9, 8, -EINVAL},
                    {kLookup, 0, 8, 0, 0},
                    {kDelete, 0, 0, 0, -EINVAL},
                    {kDelete, 2, 0, 0, -EINVAL},
                    {kTake, 0, 0, 0, -kNotSupported},
                    {kFirst, 0, 0, 0, 0},
                    {kNext, 0, 1, 0, 0},
                    {kNext, 1, 0, 0, -ENOENT},
                    {kNext, 2, 0, 0, 0},
                    {kNext, UINT32_MAX, 0, 0, 0}}});
  for (const auto type : {ProgArray, PerfEventArray}) {
    const bool readable = type == ProgArray;
    all.push_back({"array of objects",
                   {.type = type, .key_size = 4, .value_size = 4, .max_entries = 2},
                   {{kLookup, 0, 0, 0, readable ? -ENOENT : -kNotSupported},
                    {kLookup, 2, 0, 0, readable ? -ENOENT : -kNotSupported},
                    {kDelete, 0, 0, 0, -ENOENT},
                    {kDelete, 2, 0, 0, -E2BIG},
                    {kTake, 0, 0, 0, -kNotSupported},
                    {kFirst, 0, 0, 0, 0},
                    {kNext, 0, 1, 0, 0},
                    {kNext, 1, 0, 0, -ENOENT}}});
  }
  const MapSpec lpm{.type = LpmTrie, .key_size = 8, .value_size = 8, .max_entries = 4, .flags = spec::kNoPrealloc};
  all.push_back({"lpm",
                 lpm,
                 {{kLookup, prefix(32, 0x0a000001), 0, 0, -ENOENT},
                  {kDelete, prefix(8, 0x0a000000), 0, 0, -ENOENT},
                  {kFirst, 0, 0, 0, -ENOENT},
                  {kUpdate, prefix(33, 0), 1, 0, -EINVAL},
                  {kLookup, prefix(33, 0), 0, 0, -ENOENT},
                  {kDelete, prefix(33, 0), 0, 0, -EINVAL},
                  {kUpdate, prefix(8, 0x0a000000), 8, spec::kExist, -ENOENT},
                  {kUpdate, prefix(8, 0x0a000000), 8, kBoth, -EINVAL},
                  {kUpdate, prefix(8, 0x0a000000), 8, spec::kLock, -EINVAL},
                  {kUpdate, prefix(8, 0x0a000000), 8, spec::kNoExist, 0},
                  {kUpdate, prefix(8, 0x0a000000), 9, spec::kNoExist, -EEXIST},
                  {kUpdate, prefix(8, 0x0a123456), 10, spec::kExist, 0},
                  {kLookup, prefix(32, 0x0a000001), 10, 0, 0},
                  {kLookup, prefix(32, 0x0b000001), 0, 0, -ENOENT},
                  {kLookup, prefix(4, 0x0a000001), 0, 0, -ENOENT},
                  {kUpdate, prefix(24, 0x0a000100), 24, 0, 0},
                  {kUpdate, prefix(24, 0x0a000200), 25, 0, 0},
                  {kLookup, prefix(32, 0x0a0001ff), 24, 0, 0},
                  {kLookup, prefix(32, 0x0a0003ff), 10, 0, 0},
                  {kDelete, prefix(22, 0x0a000000), 0, 0, -ENOENT},
                  {kUpdate, prefix(0, 0), 99, 0, 0},
                  {kLookup, prefix(32, 0xffffffff), 99, 0, 0},
                  {kUpdate, prefix(32, 0x01020304), 1, 0, -ENOSPC},
                  {kUpdate, prefix(24, 0x0a000200), 26, 0, 0},
                  {kFirst, 0, prefix(24, 0x0a000100), 0, 0},
                  {kNext, prefix(24, 0x0a000100), prefix(24, 0x0a000200), 0, 0},
                  {kNext, prefix(24, 0x0a000200), prefix(8, 0x0a123456), 0, 0},
                  {kNext, prefix(8, 0x0a000000), prefix(0, 0), 0, 0},
                  {kNext, prefix(0, 0), 0, 0, -ENOENT},
                  {kNext, prefix(22, 0x0a000000), prefix(24, 0x0a000100), 0, 0},
                  {kNext, prefix(16, 0x0c000000), prefix(24, 0x0a000100), 0, 0},
                  {kTake, prefix(0, 0), 0, 0, -kNotSupported},
                  {kDelete, prefix(8, 0x0a000000), 0, 0, 0},
                  {kLookup, prefix(32, 0x0a0003ff), 99, 0, 0},
                  {kUpdate, prefix(32, 0x01020304), 1, 0, 0},
                  {kDelete, prefix(0, 0xffffffff), 0, 0, 0},
                  {kLookup, prefix(32, 0xffffffff), 0, 0, -ENOENT}}});
  constexpr std::uint32_t kLoopback = 1;
  all.push_back({"devmap",
                 {.type = Devmap, .key_size = 4, .value_size = 8, .max_entries = 2},
                 {{kLookup, 0, 0, 0, -ENOENT},
                  {kLookup, 2, 0, 0, -ENOENT},
                  {kUpdate, 0, kLoopback, kBoth, -EINVAL},
                  {kUpdate, 0, kLoopback, spec::kNoExist, -EEXIST},
                  {kUpdate, 2, kLoopback, 0, -E2BIG},
                  {kUpdate, 0, kLoopback, spec::kExist, 0},
                  {kLookup, 0, kLoopback, 0, 0},
                  {kUpdate, 0, 1ULL << 32, 0, -EINVAL},
                  {kUpdate, 0, 0, 0, 0},
                  {kLookup, 0, 0, 0, -ENOENT},
                  {kUpdate, 0, kLoopback, 0, 0},
                  {kDelete, 0, 0, 0, 0},
                  {kDelete, 0, 0, 0, 0},
                  {kDelete, 2, 0, 0, -EINVAL},
                  {kTake, 0, 0, 0, -kNotSupported},
                  {kNext, 0, 1, 0, 0},
                  {kNext, 1, 0, 0, -ENOENT}}});
  all.push_back({"devmap hash",
                 {.type = DevmapHash, .key_size = 4, .value_size = 8, .max_entries = 2},
                 {{kLookup, 7, 0, 0, -ENOENT},
                  {kFirst, 0, 0, 0, -ENOENT},
                  {kUpdate, 7, 0, 0, -EINVAL},
                  {kUpdate, 7, kLoopback, kBoth, -EINVAL},
                  {kUpdate, 7, kLoopback, spec::kExist, 0},
                  {kUpdate, 7, kLoopback, spec::kNoExist, -EEXIST},
                  {kUpdate, 8, kLoopback, spec::kNoExist, 0},
                  {kUpdate, 9, kLoopback, 0, -E2BIG},
                  {kUpdate, 7, kLoopback, 0, 0},
                  {kLookup, 7, kLoopback, 0, 0},
                  {kDelete, 7, 0, 0, 0},
                  {kDelete, 7, 0, 0, -ENOENT},
                  {kFirst, 0, 8, 0, 0},
                  {kNext, 8, 0, 0, -ENOENT},
                  {kTake, 8, 0, 0, -kNotSupported}}});
  all.push_back({"cpumap",
                 {.type = Cpumap, .key_size = 4, .value_size = 8, .max_entries = 64},
                 {{kLookup, 0, 0, 0, -ENOENT},
                  {kUpdate, 0, 128, kBoth, -EINVAL},
                  {kUpdate, 0, 128, spec::kNoExist, -EEXIST},
                  {kUpdate, 64, 128, 0, -E2BIG},
                  {kUpdate, 0, 16385, 0, -EOVERFLOW},
                  {kUpdate, 63, 128, 0, -ENODEV},
                  {kUpdate, 0, 128, 0, 0},
                  {kLookup, 0, 128, 0, 0},
                  {kUpdate, 0, 0, 0, 0},
                  {kLookup, 0, 0, 0, -ENOENT},
                  {kDelete, 0, 0, 0, 0},
                  {kDelete, 64, 0, 0, -EINVAL},
                  {kTake, 0, 0, 0, -kNotSupported},
                  {kNext, 62, 63, 0, 0},
                  {kNext, 63, 0, 0, -ENOENT}}});
  for (const auto type : {Queue, Stack}) {
    const bool queue = type == Queue;
    all.push_back({"queue and stack",
                   {.type = type, .value_size = 8, .max_entries = 2},
                   {{kLookup, 0, 0, 0, -ENOENT},
                    {kTake, 0, 0, 0, -ENOENT},
                    {kUpdate, 0, 1, spec::kNoExist, -EINVAL},
                    {kUpdate, 0, 1, kBoth, -EINVAL},
                    {kUpdate, 0, 1, 0, 0},
                    {kUpdate, 0, 2, spec::kExist, 0},
                    {kUpdate, 0, 3, 0, -E2BIG},
                    {kLookup, 0, queue ? 1U : 2U, 0, 0},
                    {kUpdate, 0, 3, spec::kExist, 0},
                    {kLookup, 0, queue ? 2U : 3U, 0, 0},
                    {kTake, 0, 0, spec::kLock, -EINVAL},
                    {kTake, 0, queue ? 2U : 3U, 0, 0},
                    {kTake, 0, queue ? 3U : 2U, 0, 0},
                    {kTake, 0, 0, 0, -ENOENT}}});
  }
  all.push_back({"bloom filter",
                 {.type = BloomFilter, .value_size = 8, .max_entries = 100},
                 {{kLookup, 0, 5, 0, -ENOENT},
                  {kUpdate, 0, 5, spec::kNoExist, -EINVAL},
                  {kUpdate, 0, 5, spec::kExist, -EINVAL},
                  {kUpdate, 0, 5, 0, 0},
                  {kLookup, 0, 5, 0, 0},
                  {kTake, 0, 5, 0, -kNotSupported}}});
  all.push_back({"ring buffer",
                 {.type = Ringbuf, .max_entries = 4096},
                 {{kLookup, 0, 0, 0, -kNotSupported}, {kTake, 0, 0, 0, -kNotSupported}}});
  return all;
}

// A key or value of any size, from 8 bytes; the same for every CPU.
std::vector<std::byte> widened(std::uint64_t from, std::size_t size) {
  std::vector<std::byte> bytes(std::max<std::size_t>(size, 8));
  store(bytes.data(), from);
  return bytes;
}

void run(const Case& test, Subject& map, const char* whose) {
  std::size_t number = 0;
  for (const Step& step : test.steps) {
    const auto where = std::string(whose) + ", " + std::string(name(test.spec.type)) + ", " + test.what + ", step " +
                       std::to_string(number++);
    const auto key_bytes = widened(step.key, test.spec.key_size);
    const std::byte* key = test.spec.key_size == 0 ? nullptr : key_bytes.data();
    const bool asked = test.spec.type == BloomFilter;
    auto value = widened(step.op == kUpdate || asked ? step.value : 0, map.value_size());
    auto next = widened(0, test.spec.key_size);
    int result = 0;
    switch (step.op) {
      case kLookup: result = map.lookup(key, value.data(), step.flags); break;
      case kUpdate: result = map.update(key, value.data(), step.flags); break;
      case kDelete: result = map.erase(key); break;
      case kTake: result = map.take(key, value.data(), step.flags); break;
      case kNext: result = map.next_key(key, next.data()); break;
      case kFirst: result = map.next_key(nullptr, next.data()); break;
    }
    EXPECT_EQ(result, step.result) << where;
    if (result != 0 || step.op == kUpdate || step.op == kDelete) continue;
    const auto& out = step.op == kNext || step.op == kFirst ? next : value;
    EXPECT_EQ(load<std::uint64_t>(out.data()), step.value) << where;
  }
}

TEST(Elements, OursAnswerAsTheTableSays) {
  const auto domain = *Domain::create();
  for (const Case& test : cases()) {
    std::unique_ptr<Subject> map;
    ASSERT_EQ(Ours::create(*domain, test.spec, map), 0) << test.what;
    run(test, *map, "ours");
  }
}

TEST(Elements, TheTableSaysWhatTheKernelAnswers) {
  if (!Kernels::available()) GTEST_SKIP() << "no bpf(2) here";
  for (const Case& test : cases()) {
    std::unique_ptr<Subject> map;
    ASSERT_EQ(Kernels::create(test.spec, map), 0) << test.what;
    run(test, *map, "kernel");
  }
}

}  // namespace
}  // namespace skep::maps
