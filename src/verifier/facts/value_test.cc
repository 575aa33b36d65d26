#include "verifier/facts/value.h"

#include <gtest/gtest.h>

#include <array>

namespace skep::verifier {
namespace {

using Is = Value::Is;

Value number(std::uint64_t x) { return {.is = Is::Integer, .number = Number::constant(x)}; }
Value pointer(Is is, std::uint64_t offset, std::uint32_t map = 0) { return {is, map, Number::constant(offset)}; }

TEST(FactValue, WhatTwoKindsHaveInCommon) {
  const Value null = number(0), value = pointer(Is::MapValue, 0, 1), or_null = pointer(Is::MapValueOrNull, 0, 1);
  EXPECT_EQ(join(null, value), or_null);
  EXPECT_EQ(join(value, null), or_null);
  EXPECT_EQ(join(value, or_null), or_null);
  EXPECT_EQ(join(value, pointer(Is::MapValue, 0, 2)), Value{});
  EXPECT_EQ(join(value, number(1)), Value{});
  EXPECT_EQ(join(pointer(Is::Frame, 0), pointer(Is::Context, 0)), Value{});
  EXPECT_EQ(join(number(3), Value{.is = Is::Unset}).is, Is::Unset);
  EXPECT_EQ(join(Value{.is = Is::Unset}, number(3)).is, Is::Unset);
  EXPECT_EQ(join(number(3), Value{.is = Is::Any, .number = Number::constant(3)}).is, Is::Any);
}

TEST(FactValue, AJoinHasTheNumbersOfBoth) {
  const Value both = join(number(4), number(7));
  EXPECT_TRUE(both.number.has(4) && both.number.has(7));
  EXPECT_FALSE(both.number.has(8));
  const Value frame = join(pointer(Is::Frame, ~std::uint64_t{7}), pointer(Is::Frame, ~std::uint64_t{15}));
  EXPECT_EQ(frame.is, Is::Frame);
  EXPECT_EQ(frame.number.full.smin, -16);
  EXPECT_EQ(frame.number.full.smax, -8);
}

// A chain of joins with ever new numbers ends after a few widenings, and has all of them.
TEST(FactValue, WideningEnds) {
  for (const std::uint64_t step : {1ULL, 4ULL, ~0ULL, 1ULL << 40}) {
    Value known = number(0);
    int changes = 0;
    for (std::uint64_t i = 1; i < 1000; ++i) {
      const Value grown = join(known, number(i * step));
      if (grown == known) continue;
      known = widened(known, grown);
      ++changes;
      EXPECT_TRUE(known.number.has(i * step) && known.number.has(0));
    }
    EXPECT_LE(changes, 8) << step;
  }
}

TEST(FactValue, WideningKeepsTheAlignment) {
  const Value known = widened(number(0), join(number(0), number(8)));
  EXPECT_TRUE(known.number.bits.is_aligned(8));
}

}  // namespace
}  // namespace skep::verifier
