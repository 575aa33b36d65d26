#include "maps/arena_map.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <functional>
#include <random>
#include <vector>

#include "maps/domain.h"

namespace skep::maps {
namespace {

constexpr std::uint64_t kUsers = 0x7000'0000'0000;

class ArenaTest : public ::testing::Test {
 protected:
  void make(std::uint32_t pages, std::uint64_t users = kUsers) {
    const spec::MapSpec spec{
        .type = spec::MapType::Arena, .max_entries = pages, .flags = spec::kMmapable, .extra = users};
    map_ = std::move(*Map::create(*domain_, spec, spec::MapId{7}));
    arena_ = map_->arena();
    ASSERT_NE(arena_, nullptr);
  }
  std::uint64_t page(std::uint64_t number) const { return kUsers + number * kPageSize; }

  std::unique_ptr<Domain> domain_ = *Domain::create();
  std::unique_ptr<Map> map_;
  ArenaMap* arena_ = nullptr;
};

TEST_F(ArenaTest, UsersSayWhereTheyHaveItOnce) {
  make(4, 0);
  EXPECT_EQ(arena_->place().users, 0U);
  EXPECT_EQ(arena_->allocate(0, 1), 0U) << "nobody could say where";
  EXPECT_TRUE(arena_->set_users(kUsers));
  EXPECT_TRUE(arena_->set_users(kUsers));
  EXPECT_FALSE(arena_->set_users(kUsers + kPageSize));
  EXPECT_EQ(arena_->allocate(0, 1), kUsers);
}

TEST_F(ArenaTest, AddressesAreOffsetsByTheirLowerHalves) {
  make(4, 0);
  arena_->set_users((std::uint64_t{5} << 32) - 2 * kPageSize);
  EXPECT_TRUE(arena_->place().crosses());
  EXPECT_EQ(arena_->place().offset_of(0xffff'e000), 0U);
  EXPECT_EQ(arena_->place().offset_of((std::uint64_t{99} << 32) + 8), 2 * kPageSize + 8);
  EXPECT_GE(arena_->place().offset_of(0xffff'dfff), arena_->place().bytes);
  EXPECT_EQ(arena_->place().user_address_of(0xffff'e000), std::uint64_t{4} << 32 | 0xffff'e000);
  EXPECT_EQ(arena_->place().user_address_of(8), std::uint64_t{5} << 32 | 8);
  EXPECT_EQ(arena_->place().user_address_of(0), 0U);
  make(4);
  EXPECT_FALSE(arena_->place().crosses());
}

TEST_F(ArenaTest, PagesThatSomebodyTouchedAreHis) {
  make(8);
  arena_->place().pages[3 * kPageSize] = std::byte{1};
  EXPECT_EQ(arena_->allocate(0, 4), page(4));
  EXPECT_EQ(arena_->allocate(page(3), 1), 0U);
  arena_->release(page(3), 1);
  EXPECT_EQ(arena_->allocate(0, 4), page(0));
  EXPECT_EQ(arena_->place().pages[3 * kPageSize], std::byte{0});
  EXPECT_EQ(arena_->allocate(0, 1), 0U);
}

TEST_F(ArenaTest, OnlyItsOwnPagesAreGivenBack) {
  make(4);
  ASSERT_EQ(arena_->allocate(0, 4), page(0));
  arena_->release(page(2), UINT32_MAX);
  arena_->release(page(4), 1);
  arena_->release(kUsers - kPageSize, 2);
  EXPECT_EQ(arena_->allocate(0, 1), page(2));
  EXPECT_EQ(arena_->allocate(0, 1), page(3));
  EXPECT_EQ(arena_->allocate(0, 1), 0U);
}

TEST_F(ArenaTest, FirstFitAsALinearSearchHasIt) {
  constexpr std::uint32_t kPages = 300;
  make(kPages);
  std::vector<bool> given(kPages);
  const auto free_at = [&](std::uint32_t first, std::uint32_t count) {
    return first + count <= kPages &&
           std::none_of(given.begin() + first, given.begin() + first + count, std::identity());
  };
  std::mt19937 engine(20);
  const auto random = [&] { return static_cast<std::uint32_t>(engine()); };
  for (int i = 0; i < 20'000; ++i) {
    const std::uint32_t count = 1 + random() % (random() % 8 == 0 ? 90 : 3), at = random() % kPages;
    if (random() % 2 != 0) {
      const std::uint32_t end = std::min(at + count, kPages);
      arena_->release(page(at), count);
      std::fill(given.begin() + at, given.begin() + end, false);
      continue;
    }
    const bool anywhere = random() % 3 != 0;
    std::uint32_t first = anywhere ? 0 : at;
    while (anywhere && first < kPages && !free_at(first, count)) ++first;
    const bool there = free_at(first, count);
    ASSERT_EQ(arena_->allocate(anywhere ? 0 : page(at), count), there ? page(first) : 0) << i;
    if (!there) continue;
    std::fill_n(given.begin() + first, count, true);
    arena_->place().pages[std::uint64_t{first} * kPageSize] = std::byte{1};
  }
}

// Whoever dies in the middle takes no more than what he was about to have.
TEST_F(ArenaTest, RegionsThatSomebodyScribbledOnLeadNowhereElse) {
  make(70);
  std::mt19937 engine(3);
  const auto random = [&] { return static_cast<std::uint32_t>(engine()); };
  std::byte* const end = arena_->place().pages + arena_->place().bytes;
  for (int i = 0; i < 200; ++i) {
    for (std::byte* at = end + 8 * (random() % 4) + offsetof(Header, kind); at < end + offsetof(Header, kind) + 16;
         ++at)
      *at = static_cast<std::byte>(random());
    for (unsigned byte = 0; byte < 16; ++byte) end[kPageSize + byte] = static_cast<std::byte>(random());
    std::fill_n(end + offsetof(Header, kind) + 8, 4, std::byte{0});  // who holds the lock
    const std::uint64_t users = arena_->place().users;
    const std::uint64_t got = arena_->allocate(0, 1 + random() % 3);
    EXPECT_TRUE(got == 0 || got - users < arena_->place().bytes);
    arena_->release(users + (random() % 80) * kPageSize, random() % 5);
  }
}

}  // namespace
}  // namespace skep::maps
