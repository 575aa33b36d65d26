#include "base/stable_vector.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace skep {
namespace {

TEST(StableVector, ElementsStayWhereTheyAre) {
  StableVector<std::uint64_t, 4> values;
  values.push_back(7);
  const std::uint64_t* first = &values[0];
  for (std::uint64_t i = 1; i < 1000; ++i) values.push_back(i * i);
  EXPECT_EQ(&values[0], first);
  EXPECT_EQ(values[0], 7U);
  EXPECT_EQ(values[999], 999U * 999);
  EXPECT_EQ(values.size(), 1000U);
}

TEST(StableVector, KeepsItsChunks) {
  StableVector<std::uint64_t, 4> values;
  for (std::uint64_t i = 0; i < 9; ++i) values.push_back(i);
  const std::size_t bytes = values.bytes();
  EXPECT_EQ(bytes, 12 * sizeof(std::uint64_t));
  values.clear();
  EXPECT_EQ(values.size(), 0U);
  for (std::uint64_t i = 0; i < 12; ++i) values.push_back(i + 1);
  EXPECT_EQ(values.bytes(), bytes);
  EXPECT_EQ(values[11], 12U);
}

}  // namespace
}  // namespace skep
