// BPF_MAP_CREATE's checks: one table, put to validate() and to the running kernel.
#include <gtest/gtest.h>
#include <linux/bpf.h>

#include "base/cpus.h"
#include "base/errno.h"
#include "maps/subjects.h"

namespace skep::maps {
namespace {

using enum spec::MapType;
using spec::MapSpec;
using spec::MapType;

struct Row {
  const char* what;
  MapSpec spec;
  int error;  // 0 or a negative errno
};

constexpr std::uint32_t kPage = 4096;

MapSpec of(MapType type, std::uint32_t key, std::uint32_t value, std::uint32_t entries, std::uint32_t flags = 0) {
  return {.type = type, .key_size = key, .value_size = value, .max_entries = entries, .flags = flags};
}

MapSpec with_extra(MapSpec spec, std::uint64_t extra) {
  spec.extra = extra;
  return spec;
}

MapSpec on_node(MapSpec spec, std::uint32_t node) {
  spec.flags |= spec::kNumaNode;
  spec.numa_node = node;
  return spec;
}

// The smallest legal map of each kind that needs no inner map.
const MapSpec kLegal[] = {of(Hash, 4, 4, 2),
                          of(Array, 4, 4, 2),
                          of(ProgArray, 4, 4, 2),
                          of(PerfEventArray, 4, 4, 2),
                          of(PercpuHash, 4, 4, 2),
                          of(PercpuArray, 4, 4, 2),
                          of(LruHash, 4, 4, 2),
                          of(LruPercpuHash, 4, 4, 2),
                          of(LpmTrie, 8, 4, 2, spec::kNoPrealloc),
                          of(Devmap, 4, 4, 2),
                          of(DevmapHash, 4, 4, 2),
                          of(Cpumap, 4, 4, 2),
                          of(Ringbuf, 0, 0, kPage),
                          of(Queue, 0, 4, 2),
                          of(Stack, 0, 4, 2),
                          of(BloomFilter, 0, 4, 2),
                          of(StackTrace, 4, 8, 2),
                          of(CgroupArray, 4, 4, 2),
                          of(Sockmap, 4, 4, 2),
                          of(Sockhash, 4, 4, 2),
                          of(Xskmap, 4, 4, 2),
                          of(ReuseportSockarray, 4, 4, 2),
                          of(CgroupStorage, 8, 8, 0),
                          of(PercpuCgroupStorage, 16, 8, 0),
                          of(UserRingbuf, 0, 0, kPage),
                          of(Arena, 0, 0, 2, spec::kMmapable)};

// Every size rule at its edges.
const Row kSizes[] = {
    {"hash without key", of(Hash, 0, 4, 2), -EINVAL},
    {"hash without value", of(Hash, 4, 0, 2), -EINVAL},
    {"hash of no entries", of(Hash, 4, 4, 0), -EINVAL},
    {"hash, odd sizes", of(Hash, 3, 5, 7), 0},
    {"hash, key of 512 bytes", of(Hash, 512, 4, 2), 0},
    {"hash, key and value of nearly 4 MiB", of(Hash, 4, (4U << 20) - 48 - 5, 1, spec::kNoPrealloc), 0},
    {"hash, key and value of 4 MiB", of(Hash, 4, (4U << 20) - 48 - 4, 1, spec::kNoPrealloc), -E2BIG},
    {"hash, more than 2^31 entries", of(Hash, 4, 4, (1U << 31) + 1, spec::kNoPrealloc), -E2BIG},
    {"array, key of 8", of(Array, 8, 4, 2), -EINVAL},
    {"array, key of 3", of(Array, 3, 4, 2), -EINVAL},
    {"array without value", of(Array, 4, 0, 2), -EINVAL},
    {"array of no entries", of(Array, 4, 4, 0), -EINVAL},
    {"array, value of 2^31", of(Array, 4, 1U << 31, 1), -E2BIG},
    {"percpu array, value of 32 KiB", of(PercpuArray, 4, 32U << 10, 1), 0},
    {"percpu array, value beyond 32 KiB", of(PercpuArray, 4, (32U << 10) + 1, 1), -E2BIG},
    {"percpu hash, value of 32 KiB", of(PercpuHash, 4, 32U << 10, 1), 0},
    {"percpu hash, value beyond 32 KiB", of(PercpuHash, 4, (32U << 10) + 1, 1), -E2BIG},
    {"lru percpu hash, value beyond 32 KiB", of(LruPercpuHash, 4, (32U << 10) + 1, 1), -E2BIG},
    {"prog array, value of 8", of(ProgArray, 4, 8, 2), -EINVAL},
    {"prog array, key of 8", of(ProgArray, 8, 4, 2), -EINVAL},
    {"perf event array, value of 8", of(PerfEventArray, 4, 8, 2), -EINVAL},
    {"lpm, key without data", of(LpmTrie, 4, 4, 2, spec::kNoPrealloc), -EINVAL},
    {"lpm, one byte of data", of(LpmTrie, 5, 4, 2, spec::kNoPrealloc), 0},
    {"lpm, 256 bytes of data", of(LpmTrie, 260, 4, 2, spec::kNoPrealloc), 0},
    {"lpm, 257 bytes of data", of(LpmTrie, 261, 4, 2, spec::kNoPrealloc), -EINVAL},
    {"lpm without value", of(LpmTrie, 8, 0, 2, spec::kNoPrealloc), -EINVAL},
    {"lpm, value of 4 MiB", of(LpmTrie, 8, 4U << 20, 2, spec::kNoPrealloc), -EINVAL},
    {"lpm, the largest value of all releases", of(LpmTrie, 8, (4U << 20) - 256 - 40, 2, spec::kNoPrealloc), 0},

    {"lpm of no entries", of(LpmTrie, 8, 4, 0, spec::kNoPrealloc), -EINVAL},
    {"lpm, preallocated", of(LpmTrie, 8, 4, 2), -EINVAL},
    {"devmap with programs", of(Devmap, 4, 8, 2), 0},
    {"devmap, value of 5", of(Devmap, 4, 5, 2), -EINVAL},
    {"devmap, value of 12", of(Devmap, 4, 12, 2), -EINVAL},
    {"devmap, key of 8", of(Devmap, 8, 4, 2), -EINVAL},
    {"devmap of no entries", of(Devmap, 4, 4, 0), -EINVAL},
    {"devmap hash with programs", of(DevmapHash, 4, 8, 2), 0},
    {"devmap hash, key of 8", of(DevmapHash, 8, 4, 2), -EINVAL},
    {"devmap hash, more than 2^31 entries", of(DevmapHash, 4, 4, (1U << 31) + 1), -EINVAL},
    {"cpumap with programs", of(Cpumap, 4, 8, 2), 0},
    {"cpumap, value of 16", of(Cpumap, 4, 16, 2), -EINVAL},
    {"cpumap of no entries", of(Cpumap, 4, 4, 0), -EINVAL},
    {"cpumap of all CPUs there can be", of(Cpumap, 4, 4, most_cpus()), 0},
    {"cpumap of more", of(Cpumap, 4, 4, most_cpus() + 1), -E2BIG},
    {"ring buffer with key", of(Ringbuf, 4, 0, kPage), -EINVAL},
    {"ring buffer with value", of(Ringbuf, 0, 4, kPage), -EINVAL},
    {"ring buffer of nothing", of(Ringbuf, 0, 0, 0), -EINVAL},
    {"ring buffer of 3 pages", of(Ringbuf, 0, 0, 3 * kPage), -EINVAL},
    {"ring buffer of half a page", of(Ringbuf, 0, 0, kPage / 2), -EINVAL},
    {"queue with key", of(Queue, 4, 4, 2), -EINVAL},
    {"queue without value", of(Queue, 0, 0, 2), -EINVAL},
    {"queue of no entries", of(Queue, 0, 4, 0), -EINVAL},
    {"queue, value of 4 MiB", of(Queue, 0, 4U << 20, 1), 0},
    {"queue, value beyond 4 MiB", of(Queue, 0, (4U << 20) + 1, 1), -E2BIG},
    {"stack with key", of(Stack, 4, 4, 2), -EINVAL},
    {"bloom filter with key", of(BloomFilter, 4, 4, 2), -EINVAL},
    {"bloom filter without value", of(BloomFilter, 0, 0, 2), -EINVAL},
    {"bloom filter, value of 4 MiB", of(BloomFilter, 0, 4U << 20, 2), 0},
    {"bloom filter, value beyond 4 MiB", of(BloomFilter, 0, (4U << 20) + 1, 2), -E2BIG},
    {"bloom filter, the largest value", of(BloomFilter, 0, UINT32_MAX, 2), -E2BIG},
    {"bloom filter of no entries", of(BloomFilter, 0, 4, 0), -EINVAL},
    {"bloom filter, 15 functions", with_extra(of(BloomFilter, 0, 4, 2), 15), 0},
    {"bloom filter, 16 functions", with_extra(of(BloomFilter, 0, 4, 2), 16), -EINVAL},
    {"hash with extra", with_extra(of(Hash, 4, 4, 2), 1), -EINVAL},
    {"array with extra", with_extra(of(Array, 4, 4, 2), 1), -EINVAL},
    {"memory node that is not there", on_node(of(Hash, 4, 4, 2), 1000), -EINVAL},
    {"memory node 0", on_node(of(Hash, 4, 4, 2), 0), 0},
    {"memory node 0, percpu hash", on_node(of(PercpuHash, 4, 4, 2), 0), -EINVAL},
    {"memory node 0, percpu array", on_node(of(PercpuArray, 4, 4, 2), 0), -EINVAL},
    {"memory node 0, percpu lists", on_node(of(LruHash, 4, 4, 2, spec::kNoCommonLru), 0), -EINVAL},
    {"stacks, half a frame", of(StackTrace, 4, 12, 2), -EINVAL},
    {"stacks without a frame", of(StackTrace, 4, 0, 2), -EINVAL},
    {"stacks of 127 frames", of(StackTrace, 4, 127 * 8, 2), 0},
    {"stacks of 128 frames", of(StackTrace, 4, 128 * 8, 2), -EINVAL},
    {"stacks by build id, half a frame", of(StackTrace, 4, 16, 2, spec::kStackBuildId), -EINVAL},
    {"stacks by build id, 127 frames", of(StackTrace, 4, 127 * 32, 2, spec::kStackBuildId), 0},
    {"stacks, key of 8", of(StackTrace, 8, 8, 2), -EINVAL},
    {"no stacks", of(StackTrace, 4, 8, 0), -EINVAL},
    {"stacks, more than 2^31", of(StackTrace, 4, 8, (1U << 31) + 1), -E2BIG},
    {"cgroup array, value of 8", of(CgroupArray, 4, 8, 2), -EINVAL},
    {"sockmap with cookies", of(Sockmap, 4, 8, 2), 0},
    {"sockmap, key of 8", of(Sockmap, 8, 4, 2), -EINVAL},
    {"sockmap, value of 16", of(Sockmap, 4, 16, 2), -EINVAL},
    {"sockmap of no entries", of(Sockmap, 4, 4, 0), -EINVAL},
    {"sockhash, key of 512", of(Sockhash, 512, 8, 2), 0},
    {"sockhash, key of 513", of(Sockhash, 513, 4, 2), -E2BIG},
    {"sockhash without key", of(Sockhash, 0, 4, 2), -EINVAL},
    {"xskmap, value of 8", of(Xskmap, 4, 8, 2), -EINVAL},
    {"xskmap, key of 8", of(Xskmap, 8, 4, 2), -EINVAL},
    {"socket array with cookies", of(ReuseportSockarray, 4, 8, 2), 0},
    {"socket array, value of 16", of(ReuseportSockarray, 4, 16, 2), -EINVAL},
    {"cgroup storage with entries", of(CgroupStorage, 8, 4, 1), -EINVAL},
    {"cgroup storage, key of 4", of(CgroupStorage, 4, 4, 0), -EINVAL},
    {"cgroup storage, key of 16", of(CgroupStorage, 16, 4, 0), 0},
    {"cgroup storage without value", of(CgroupStorage, 8, 0, 0), -EINVAL},
    {"cgroup storage, the largest value", of(CgroupStorage, 8, 65535 - 128, 0), 0},
    {"cgroup storage, one more", of(CgroupStorage, 8, 65535 - 127, 0), -E2BIG},
    {"percpu cgroup storage, value of 32 KiB", of(PercpuCgroupStorage, 8, 32U << 10, 0), 0},
    {"percpu cgroup storage, value beyond 32 KiB", of(PercpuCgroupStorage, 8, (32U << 10) + 1, 0), -E2BIG},
    {"socket storage without types", of(SkStorage, 4, 4, 0, spec::kNoPrealloc), -EINVAL},
    {"task storage without types", of(TaskStorage, 4, 4, 0, spec::kNoPrealloc), -EINVAL},
    {"user ring buffer of 3 pages", of(UserRingbuf, 0, 0, 3 * kPage), -EINVAL},
    {"user ring buffer with key", of(UserRingbuf, 4, 0, kPage), -EINVAL},
    {"arena of no pages", of(Arena, 0, 0, 0, spec::kMmapable), -EINVAL},
    {"arena with key", of(Arena, 4, 0, 1, spec::kMmapable), -EINVAL},
    {"arena with value", of(Arena, 0, 4, 1, spec::kMmapable), -EINVAL},
    {"arena that cannot be mapped", of(Arena, 0, 0, 1), -EINVAL},
    {"arena of 4 GiB", of(Arena, 0, 0, 1U << 20, spec::kMmapable), 0},
    {"arena of more", of(Arena, 0, 0, (1U << 20) + 1, spec::kMmapable), -E2BIG},
    {"arena at a page", with_extra(of(Arena, 0, 0, 1, spec::kMmapable), kPage), 0},
    {"arena at no page", with_extra(of(Arena, 0, 0, 1, spec::kMmapable), kPage - 1), -EINVAL},
    {"arena across 4 GiB", with_extra(of(Arena, 0, 0, 2, spec::kMmapable), 0xfffff000), -ERANGE},
    {"no such type", of(MapType{33333}, 4, 4, 2), -EINVAL},
    {"type 0", of(Unspec, 4, 4, 2), -EINVAL},
};

class CreateTest : public testing::Test {
 protected:
  void check(const Row& row) const {
    std::unique_ptr<Subject> map;
    EXPECT_EQ(Ours::create(*domain_, row.spec, map), row.error) << "ours: " << row.what;
    if (kernel_) {
      EXPECT_EQ(Kernels::create(row.spec, map), row.error) << "kernel: " << row.what;
    }
  }

  std::unique_ptr<Domain> domain_ = *Domain::create();
  bool kernel_ = Kernels::available();
};

TEST_F(CreateTest, LegalMaps) {
  for (const MapSpec& spec : kLegal) check({std::string(name(spec.type)).c_str(), spec, 0});
}

TEST_F(CreateTest, Sizes) {
  for (const Row& row : kSizes) check(row);
}

// Every flag, and every pair of flags, on every kind: the kernel is the table.
TEST_F(CreateTest, FlagsAsTheKernel) {
  if (!kernel_) GTEST_SKIP() << "no bpf(2) here";
  // Not asked: flags that the hive resolves to descriptors before a map's spec exists, and those of kinds that are not
  // here.
  constexpr std::uint32_t kElsewhere = spec::kVtypeBtfObjFd | spec::kTokenFd | spec::kPathFd;
  for (const MapSpec& legal : kLegal) {
    for (std::uint32_t one = 0; one < 20; ++one) {
      for (std::uint32_t two = one; two < 20; ++two) {
        MapSpec spec = legal;
        spec.flags |= 1U << one | 1U << two;
        if ((spec.flags & kElsewhere) != 0) continue;
        std::unique_ptr<Subject> map;
        const int theirs = Kernels::create(spec, map);
        EXPECT_EQ(Ours::create(*domain_, spec, map), theirs)
            << name(spec.type) << " with flags 0x" << std::hex << spec.flags;
      }
    }
  }
}

// Which kinds may be inside a map of maps.
TEST_F(CreateTest, InnerMaps) {
  for (const MapType outer : {ArrayOfMaps, HashOfMaps}) {
    for (const MapSpec& inner : kLegal) {
      const MapSpec spec = of(outer, 4, 4, 2);
      std::unique_ptr<Subject> map;
      const int ours = Ours::create(*domain_, spec, map, &inner);
      const bool can_be_inner = find_kind(inner.type)->has(kInner);
      EXPECT_EQ(ours, can_be_inner ? 0 : -kNotSupported) << name(inner.type);
      if (!kernel_) continue;
      std::unique_ptr<Subject> template_map;
      ASSERT_EQ(Kernels::create(inner, template_map), 0);
      EXPECT_EQ(ours, Kernels::create(spec, map, static_cast<Kernels&>(*template_map).fd())) << name(inner.type);
    }
    const MapSpec nested = of(ArrayOfMaps, 4, 4, 2);
    std::unique_ptr<Subject> map;
    EXPECT_EQ(Ours::create(*domain_, of(outer, 4, 4, 2), map, &nested), -EINVAL);
    EXPECT_EQ(Ours::create(*domain_, of(outer, 4, 4, 2), map), -EBADF);
    EXPECT_EQ(Ours::create(*domain_, of(outer, 4, 8, 2), map, &kLegal[0]), -EINVAL);
    if (kernel_) {
      EXPECT_EQ(Kernels::create(of(outer, 4, 4, 2), map), -EBADF);
    }
  }
}

// Which maps may be put into a map of maps with a given template.
TEST_F(CreateTest, WhatFitsIntoAMapOfMaps) {
  const struct {
    MapSpec inner;
    MapSpec candidate;
    bool fits;
  } rows[] = {
      {of(Array, 4, 4, 1), of(Array, 4, 4, 1), true},
      {of(Array, 4, 4, 1), of(Array, 4, 4, 2), false},
      {of(Array, 4, 4, 1, spec::kInnerMap), of(Array, 4, 4, 2, spec::kInnerMap), true},
      {of(Array, 4, 4, 1, spec::kInnerMap), of(Array, 4, 4, 1), false},
      {of(Array, 4, 4, 1), of(Array, 4, 4, 1, spec::kInnerMap), false},
      {of(Array, 4, 4, 1), of(Array, 4, 4, 1, spec::kMmapable), false},
      {of(PercpuArray, 4, 4, 1), of(PercpuArray, 4, 4, 2), true},
      {of(Hash, 4, 4, 1), of(Hash, 4, 4, 9), true},
      {of(Hash, 4, 4, 1), of(Hash, 4, 4, 1, spec::kNoPrealloc), false},
      {of(Hash, 4, 4, 1), of(Hash, 4, 4, 1, spec::kRdonly), true},
      {of(Hash, 4, 4, 1), of(Hash, 4, 4, 1, spec::kRdonlyProg), false},
      {of(Hash, 4, 4, 1), of(Hash, 4, 8, 1), false},
      {of(Hash, 4, 4, 1), of(Hash, 8, 4, 1), false},
      {of(Hash, 4, 4, 1), of(Array, 4, 4, 1), false},
      {of(LpmTrie, 8, 4, 1, spec::kNoPrealloc), of(LpmTrie, 8, 4, 9, spec::kNoPrealloc), true},
      {of(Ringbuf, 0, 0, kPage), of(Ringbuf, 0, 0, 2 * kPage), true},
      {of(Queue, 0, 4, 1), of(Queue, 0, 4, 2), true},
  };
  for (const auto& row : rows) {
    const auto inner = Map::create(*domain_, row.inner, spec::MapId{1});
    const auto candidate = Map::create(*domain_, row.candidate, spec::MapId{2});
    ASSERT_TRUE(inner && candidate);
    EXPECT_EQ(fits((*inner)->spec(), (*candidate)->spec()), row.fits) << name(row.inner.type);
    if (!kernel_) continue;
    std::unique_ptr<Subject> a;
    std::unique_ptr<Subject> b;
    std::unique_ptr<Subject> outer;
    ASSERT_EQ(Kernels::create(row.inner, a), 0);
    ASSERT_EQ(Kernels::create(row.candidate, b), 0);
    ASSERT_EQ(Kernels::create(of(ArrayOfMaps, 4, 4, 1), outer, static_cast<Kernels&>(*a).fd()), 0);
    const std::uint32_t key = 0;
    const int fd = static_cast<Kernels&>(*b).fd();
    EXPECT_EQ(outer->update(reinterpret_cast<const std::byte*>(&key), reinterpret_cast<const std::byte*>(&fd), 0),
              row.fits ? 0 : -EINVAL)
        << name(row.inner.type);
  }
}

// Which batch commands a kind has: asked with a count of 0, which does nothing.
TEST_F(CreateTest, BatchCommandsAsTheKernel) {
  if (!kernel_) GTEST_SKIP() << "no bpf(2) here";
  for (const MapSpec& spec : kLegal) {
    std::unique_ptr<Subject> map;
    ASSERT_EQ(Kernels::create(spec, map), 0);
    const Kind& kind = *find_kind(spec.type);
    const auto answer = [&](bpf_cmd command) { return static_cast<Kernels&>(*map).empty_batch(command); };
    const auto expected = [&](Feature feature) { return kind.has(feature) ? 0 : -kNotSupported; };
    EXPECT_EQ(answer(BPF_MAP_LOOKUP_BATCH), expected(kBatch)) << name(spec.type);
    EXPECT_EQ(answer(BPF_MAP_UPDATE_BATCH), expected(kBatch)) << name(spec.type);
    EXPECT_EQ(answer(BPF_MAP_DELETE_BATCH), expected(kBatchDelete)) << name(spec.type);
    EXPECT_EQ(answer(BPF_MAP_LOOKUP_AND_DELETE_BATCH), expected(kBatchTake)) << name(spec.type);
  }
}

TEST_F(CreateTest, TheKernelsAdjustmentsShow) {
  const auto read_only = Map::create(*domain_, of(Hash, 4, 4, 2, spec::kRdonly | spec::kRdonlyProg), spec::MapId{1});
  ASSERT_TRUE(read_only);
  EXPECT_EQ((*read_only)->spec().flags, spec::kRdonlyProg) << "read-only access is the descriptor's";
  const auto devmap = Map::create(*domain_, of(Devmap, 4, 4, 2), spec::MapId{1});
  ASSERT_TRUE(devmap);
  EXPECT_EQ((*devmap)->spec().flags, spec::kRdonlyProg);
  const auto lru =
      Map::create(*domain_, of(LruHash, 4, 4, 2 * domain_->cpus() + 1, spec::kNoCommonLru), spec::MapId{1});
  ASSERT_TRUE(lru);
  EXPECT_EQ((*lru)->spec().max_entries % domain_->cpus(), 0U);
}

TEST_F(CreateTest, MessagesNameTheMapAndWhatWasExpected) {
  MapSpec spec = of(Array, 8, 4, 2);
  spec.name = "counters";
  EXPECT_EQ(validate(spec, nullptr).error().message, "map 'counters' of type array: key_size must be 4, is 8");
}

}  // namespace
}  // namespace skep::maps
