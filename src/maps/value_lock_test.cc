// BPF_F_LOCK: values that contain a bpf_spin_lock.
#include "maps/value_lock.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "maps/domain.h"
#include "maps/map.h"

namespace skep::maps {
namespace {

using enum spec::MapType;

struct Value {
  std::uint32_t before;
  std::uint32_t lock;
  std::uint64_t words[3];
};

const std::byte* bytes(const std::uint32_t& key) { return reinterpret_cast<const std::byte*>(&key); }
const std::byte* bytes(const Value& value) { return reinterpret_cast<const std::byte*>(&value); }
std::byte* bytes(Value& value) { return reinterpret_cast<std::byte*>(&value); }

class ValueLockTest : public testing::Test {
 protected:
  std::unique_ptr<Map> make(spec::MapType type) {
    auto map = Map::create(*domain_, {.type = type, .key_size = 4, .value_size = sizeof(Value), .max_entries = 4},
                           spec::MapId{1});
    EXPECT_TRUE(map) << map.error().message;
    return *std::move(map);
  }
  std::unique_ptr<Domain> domain_ = *Domain::create();
};

constexpr std::uint32_t kKey = 1;
constexpr Value kOne{1, 0x77777777, {1, 1, 1}};
constexpr Value kTwo{2, 0x77777777, {2, 2, 2}};

TEST_F(ValueLockTest, WithoutALockTheFlagIsRefused) {
  for (const auto type : {Array, Hash}) {
    const auto map = make(type);
    Value out{};
    EXPECT_EQ(map->update_all(bytes(kKey), bytes(kOne), spec::kLock), -EINVAL);
    ASSERT_EQ(map->update_all(bytes(kKey), bytes(kOne), 0), 0);
    EXPECT_EQ(map->copy_value(bytes(kKey), bytes(out), spec::kLock), -EINVAL);
    map->set_value_lock(sizeof(Value) - 3);
    EXPECT_EQ(map->copy_value(bytes(kKey), bytes(out), spec::kLock), -EINVAL) << "no place for a lock";
  }
  for (const auto type : {LruHash, PercpuHash, PercpuArray}) {
    const auto map = make(type);
    map->set_value_lock(offsetof(Value, lock));
    const std::vector<std::byte> value(map->syscall_value_size());
    EXPECT_EQ(map->update_all(bytes(kKey), value.data(), spec::kLock), -EINVAL);
  }
}

TEST_F(ValueLockTest, CopiesLeaveTheLockAlone) {
  for (const auto type : {Array, Hash}) {
    const auto map = make(type);
    map->set_value_lock(offsetof(Value, lock));
    ASSERT_EQ(map->update_all(bytes(kKey), bytes(kOne), 0), 0);
    std::byte* inside = map->lookup(bytes(kKey), 0);
    auto& lock_word = *reinterpret_cast<std::uint32_t*>(inside + offsetof(Value, lock));
    EXPECT_EQ(lock_word, 0U) << "what user space wrote there does not lock";
    Value out{};
    {
      const Guard guard(lock_word);
      EXPECT_EQ(map->copy_value(bytes(kKey), bytes(out), 0), 0);
      EXPECT_EQ(out.lock, 0U);
      EXPECT_EQ(map->copy_value(bytes(kKey), bytes(out), spec::kLock), -EBUSY) << "held by this thread";
      EXPECT_EQ(map->update_all(bytes(kKey), bytes(kTwo), spec::kLock), -EBUSY);
    }
    EXPECT_EQ(map->update_all(bytes(kKey), bytes(kTwo), spec::kLock | spec::kNoExist), -EEXIST);
    EXPECT_EQ(map->update_all(bytes(kKey), bytes(kTwo), spec::kLock | spec::kExist), 0);
    EXPECT_EQ(map->lookup(bytes(kKey), 0), inside) << "written in place";
    EXPECT_EQ(map->copy_value(bytes(kKey), bytes(out), spec::kLock), 0);
    EXPECT_EQ(out.before, 2U);
    EXPECT_EQ(out.words[2], 2U);
    EXPECT_EQ(out.lock, 0U);
  }
}

TEST_F(ValueLockTest, AHashInsertsAndTakesWithTheFlag) {
  const auto map = make(Hash);
  map->set_value_lock(offsetof(Value, lock));
  EXPECT_EQ(map->update_all(bytes(kKey), bytes(kOne), spec::kLock | spec::kExist), -ENOENT);
  EXPECT_EQ(map->update_all(bytes(kKey), bytes(kOne), spec::kLock), 0);
  Value out{};
  EXPECT_EQ(map->take(bytes(kKey), bytes(out), spec::kLock), 0);
  EXPECT_EQ(out.words[0], 1U);
  EXPECT_EQ(out.lock, 0U);
  EXPECT_EQ(map->copy_value(bytes(kKey), bytes(out), spec::kLock), -ENOENT);
}

// Every combination of where the hole is and how long the block.
TEST_F(ValueLockTest, CopyingAroundAHole) {
  for (std::size_t size = 4; size <= 40; ++size)
    for (std::size_t hole = 0; hole + 4 <= size; hole += 4) {
      alignas(8) std::byte shared[48];
      std::byte from[48];
      std::memset(shared, 0xee, sizeof shared);
      for (std::size_t i = 0; i < sizeof from; ++i) from[i] = static_cast<std::byte>(i);
      copy_in_around(shared, from, size, hole);
      for (std::size_t i = 0; i < size; ++i)
        ASSERT_EQ(shared[i], i >= hole && i < hole + 4 ? std::byte{0xee} : from[i])
            << size << ", " << hole << ", " << i;
      for (std::size_t i = round_up(size, 8); i < sizeof shared; ++i) ASSERT_EQ(shared[i], std::byte{0xee});
    }
}

TEST_F(ValueLockTest, LockedValuesAreWhole) {
  for (const auto type : {Array, Hash}) {
    const auto map = make(type);
    map->set_value_lock(offsetof(Value, lock));
    ASSERT_EQ(map->update_all(bytes(kKey), bytes(kOne), 0), 0);
    std::vector<std::thread> threads;
    std::atomic<int> wrong = 0;
    for (std::uint64_t t = 0; t < 3; ++t)
      threads.emplace_back([&, t] {
        for (std::uint64_t i = 0; i < 3000; ++i) {
          const Value value{static_cast<std::uint32_t>(i), 0, {i * t, i * t, i * t}};
          wrong += map->update_all(bytes(kKey), bytes(value), spec::kLock) != 0;
          Value out{};
          wrong += map->copy_value(bytes(kKey), bytes(out), spec::kLock) != 0;
          wrong += out.words[0] != out.words[1] || out.words[1] != out.words[2];
        }
      });
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
  }
}

}  // namespace
}  // namespace skep::maps
