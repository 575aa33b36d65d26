#include "spec/helpers.h"

#include <gtest/gtest.h>

#include <set>

namespace skep::spec {
namespace {

static_assert(kHelperCount == 211);
static_assert(helper(HelperId::map_lookup_elem).args[1] == ArgKind::MapKey);
static_assert(find_helper("bpf_ktime_get_ns")->arg_count() == 0);
static_assert(find_helper(212) == nullptr && find_helper(0U) == nullptr);

TEST(Helpers, RowsAreAtTheirIdsUnderTheirNames) {
  std::set<std::string_view> names;
  for (std::uint32_t id = 1; id <= kHelperCount; ++id) {
    const Helper* row = find_helper(id);
    ASSERT_NE(row, nullptr);
    EXPECT_EQ(static_cast<std::uint32_t>(row->id), id) << row->name;
    EXPECT_EQ(find_helper(row->name), row) << row->name;
    names.insert(row->name);
  }
  EXPECT_EQ(names.size(), kHelperCount);
  EXPECT_EQ(find_helper("map_lookup"), nullptr);
}

// The verifier checks memory and its size as a pair: a size without memory before it would never be checked.
TEST(Helpers, SizesFollowMemory) {
  for (const Helper* row : kHelperRows) {
    for (std::size_t i = 0; i < kMaxHelperArgs; ++i) {
      const ArgBase next = i + 1 < kMaxHelperArgs ? info(row->args[i + 1]).base : ArgBase::None;
      if (info(row->args[i]).base == ArgBase::Mem) {
        EXPECT_EQ(next, ArgBase::Size) << row->name << " argument " << i + 1;
      }
      if (next == ArgBase::Size) {
        EXPECT_EQ(info(row->args[i]).base, ArgBase::Mem) << row->name << " argument " << i + 2;
      }
    }
  }
}

// What a key or value measures is said by the map before it.
TEST(Helpers, KeysAndValuesFollowTheirMap) {
  for (const Helper* row : kHelperRows) {
    bool map = false;
    for (const ArgKind kind : row->args) {
      const ArgBase base = info(kind).base;
      if (base == ArgBase::MapKey || base == ArgBase::MapValue) {
        EXPECT_TRUE(map) << row->name;
      }
      map = map || base == ArgBase::Map;
    }
  }
}

TEST(Helpers, NoArgumentComesAfterTheLast) {
  for (const Helper* row : kHelperRows)
    for (std::size_t i = row->arg_count(); i < kMaxHelperArgs; ++i) EXPECT_EQ(row->args[i], ArgKind::None) << row->name;
}

}  // namespace
}  // namespace skep::spec
