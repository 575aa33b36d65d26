// What element commands say of maps that are always empty: ours and the running kernel's.
#include <gtest/gtest.h>

#include "base/errno.h"
#include "maps/run_storage.h"
#include "maps/subjects.h"

namespace skep::maps {
namespace {

using enum spec::MapType;
using spec::MapSpec;

struct Row {
  MapSpec spec;
  int lookup, update, erase, erase_outside, first_key;
};

MapSpec of(spec::MapType type, std::uint32_t key, std::uint32_t value, std::uint32_t entries, std::uint32_t flags = 0) {
  return {.type = type, .key_size = key, .value_size = value, .max_entries = entries, .flags = flags};
}

// Updates are with BPF_ANY; not those that need an object (hive/socket_map_test.cc has them).
constexpr int kNoObject = 1;
const Row kRows[] = {
    {of(StackTrace, 4, 8, 2), -ENOENT, -EINVAL, -ENOENT, -E2BIG, -ENOENT},
    {of(Sockmap, 4, 4, 2), -ENOSPC, kNoObject, -EINVAL, -EINVAL, 0},
    {of(Sockmap, 4, 8, 2), -ENOENT, kNoObject, -EINVAL, -EINVAL, 0},
    {of(Sockhash, 4, 4, 2), -ENOSPC, kNoObject, -ENOENT, -ENOENT, -ENOENT},
    {of(Sockhash, 8, 8, 2), -ENOENT, kNoObject, -ENOENT, -ENOENT, -ENOENT},
    {of(Xskmap, 4, 4, 2), -EOPNOTSUPP, kNoObject, 0, -EINVAL, 0},
    {of(ReuseportSockarray, 4, 8, 2), -ENOENT, kNoObject, -ENOENT, -E2BIG, 0},
    {of(CgroupStorage, 16, 8, 0), -ENOENT, -ENOENT, -EINVAL, -EINVAL, -ENOENT},
    {of(PercpuCgroupStorage, 8, 8, 0), -ENOENT, -ENOENT, -EINVAL, -EINVAL, -ENOENT},
};

class EmptyMapTest : public testing::Test {
 protected:
  static void check(Subject& map, const Row& row, const char* whose) {
    const std::string what = std::string(whose) + ": " + std::string(name(row.spec.type));
    std::byte key[16]{};
    std::byte next[16]{};
    std::byte value[4096]{};
    EXPECT_EQ(map.lookup(key, value, 0), row.lookup) << what;
    EXPECT_EQ(map.lookup(key, value, spec::kLock), -EINVAL) << what;
    if (row.update != kNoObject) {
      EXPECT_EQ(map.update(key, value, spec::kAny), row.update) << what;
    }
    EXPECT_EQ(map.update(key, value, 77), -EINVAL) << what;
    EXPECT_EQ(map.erase(key), row.erase) << what;
    EXPECT_EQ(map.next_key(nullptr, next), row.first_key) << what;
    store(key, std::uint32_t{7});
    EXPECT_EQ(map.erase(key), row.erase_outside) << what;
    EXPECT_EQ(map.next_key(key, next), row.first_key) << what << " behind the last";
    if (row.first_key != 0) return;
    store(key, std::uint32_t{1});
    EXPECT_EQ(map.next_key(key, next), -ENOENT) << what << " after the last";
  }
  std::unique_ptr<Domain> domain_ = *Domain::create();
};

TEST_F(EmptyMapTest, OursAnswerAsTheKernels) {
  for (const Row& row : kRows) {
    std::unique_ptr<Subject> map;
    ASSERT_EQ(Ours::create(*domain_, row.spec, map), 0) << name(row.spec.type);
    check(*map, row, "ours");
    if (!Kernels::available()) continue;
    ASSERT_EQ(Kernels::create(row.spec, map), 0) << name(row.spec.type);
    check(*map, row, "kernel");
  }
}

TEST_F(EmptyMapTest, NoStorageIsMadeForAnElementThatIsAskedToBeNew) {
  const auto map = Map::create(*domain_, of(CgroupStorage, 16, 8, 0), spec::MapId{1});
  ASSERT_TRUE(map);
  std::byte key[16]{};
  EXPECT_EQ((*map)->update_all(key, key, spec::kNoExist), -EINVAL);
  EXPECT_EQ((*map)->update_all(key, key, spec::kExist), -ENOENT);
}

TEST_F(EmptyMapTest, AnArenaIsThereForUsersToMap) {
  const auto map = Map::create(*domain_, of(Arena, 0, 0, 3, spec::kMmapable), spec::MapId{1});
  ASSERT_TRUE(map);
  EXPECT_EQ((*map)->mmap_bytes(), 3 * kPageSize);
  EXPECT_EQ((*map)->copy_value(nullptr, nullptr, 0), -EINVAL);
  EXPECT_EQ((*map)->update_all(nullptr, nullptr, 0), -EOPNOTSUPP);
  EXPECT_EQ((*map)->erase(nullptr), -EOPNOTSUPP);
}

TEST_F(EmptyMapTest, UserRingBuffersHaveNoElements) {
  const auto map = Map::create(*domain_, of(UserRingbuf, 0, 0, 4096), spec::MapId{1});
  ASSERT_TRUE(map);
  EXPECT_EQ((*map)->copy_value(nullptr, nullptr, 0), -kNotSupported);
  EXPECT_EQ((*map)->update_all(nullptr, nullptr, 0), -kNotSupported);
  EXPECT_EQ((*map)->next_key(nullptr, nullptr), -kNotSupported);
}

TEST_F(EmptyMapTest, ARunHasAStorageOfItsOwn) {
  for (const spec::MapType type : {CgroupStorage, PercpuCgroupStorage}) {
    const auto map = Map::create(*domain_, of(type, 8, 12, 0), spec::MapId{1});
    ASSERT_TRUE(map);
    auto& storage = dynamic_cast<RunStorage&>(**map);
    std::byte* value = storage.lookup(nullptr, 1);
    std::memset(value, 0xff, 12);
    EXPECT_EQ(storage.lookup(nullptr, 0) == value, type == CgroupStorage) << "one for all CPUs, or one each";
    const auto bounds = storage.value_at(value + 11);
    ASSERT_TRUE(bounds);
    EXPECT_EQ(bounds->data(), value);
    EXPECT_EQ(bounds->size(), 12U);
    EXPECT_FALSE(storage.value_at(value + 12));
    EXPECT_FALSE(storage.value_at(value - 4096));
    storage.restart();
    EXPECT_EQ(value[11], std::byte{0});
  }
}

}  // namespace
}  // namespace skep::maps
