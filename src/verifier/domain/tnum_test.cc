#include "verifier/domain/tnum.h"

#include <gtest/gtest.h>

#include <functional>
#include <vector>

namespace skep::verifier {
namespace {

constexpr unsigned kBits = 4;
using T = Tnum<kBits>;

std::vector<T> all() {
  std::vector<T> result;
  for (std::uint64_t mask = 0; mask <= T::kAll; ++mask)
    for (std::uint64_t value = 0; value <= T::kAll; ++value)
      if ((value & mask) == 0) result.push_back({value, mask});
  return result;
}

std::vector<std::uint64_t> members(const T& tnum) {
  std::vector<std::uint64_t> result;
  for (std::uint64_t x = 0; x <= T::kAll; ++x)
    if (tnum.has(x)) result.push_back(x);
  return result;
}

using Concrete = std::uint64_t (*)(std::uint64_t, std::uint64_t);

// The smallest tnum that has op(x, y) for all members.
T best(const T& a, const T& b, Concrete op) {
  std::uint64_t ones = T::kAll, zeros = T::kAll;
  for (const auto x : members(a))
    for (const auto y : members(b)) {
      const std::uint64_t z = op(x, y) & T::kAll;
      ones &= z;
      zeros &= ~z;
    }
  return {ones, T::kAll & ~(ones | zeros)};
}

template <class Op>
void expect_optimal(Op op, Concrete concrete) {
  for (const T& a : all())
    for (const T& b : all()) {
      const T result = op(a, b);
      ASSERT_EQ(result, best(a, b, concrete)) << a.value << ';' << a.mask << ' ' << b.value << ';' << b.mask;
    }
}

TEST(Tnum, AdditionSubtractionAndBitsAreOptimal) {
  expect_optimal(std::plus<T>(), [](auto x, auto y) { return x + y; });
  expect_optimal(std::minus<T>(), [](auto x, auto y) { return x - y; });
  expect_optimal(std::bit_and<T>(), [](auto x, auto y) { return x & y; });
  expect_optimal(std::bit_or<T>(), [](auto x, auto y) { return x | y; });
  expect_optimal(std::bit_xor<T>(), [](auto x, auto y) { return x ^ y; });
}

TEST(Tnum, ProductsAreSound) {
  std::size_t sharper = 0;
  for (const T& a : all())
    for (const T& b : all()) {
      const T old = T::product(a, b, Rules::Linux612), recent = T::product(a, b, Rules::Linux618);
      const T exact = best(a, b, [](auto x, auto y) { return x * y; });
      ASSERT_TRUE(old.contains(exact));
      ASSERT_TRUE(recent.contains(exact));
      sharper += old != recent;
    }
  EXPECT_GT(sharper, 0U);  // else there would be no reason to keep both
}

TEST(Tnum, ShiftsAreOptimal) {
  for (const T& a : all())
    for (unsigned by = 0; by < kBits; ++by) {
      const T count{by, 0};
      ASSERT_EQ(a.shifted_left(by), best(a, count, [](auto x, auto y) { return x << y; }));
      ASSERT_EQ(a.shifted_right(by), best(a, count, [](auto x, auto y) { return x >> y; }));
      ASSERT_EQ(a.shifted_right_signed(by),
                best(a, count, [](auto x, auto y) { return static_cast<std::uint64_t>(isa::sext<kBits>(x) >> y); }));
      ASSERT_EQ(a.low(by), best(a, count, [](auto x, auto y) { return x & ((std::uint64_t{1} << y) - 1); }));
      ASSERT_EQ(a.without_low(by), best(a, count, [](auto x, auto y) { return x & ~((std::uint64_t{1} << y) - 1); }));
    }
}

TEST(Tnum, SetsOfTwo) {
  for (const T& a : all())
    for (const T& b : all()) {
      bool contained = true, meet = false;
      const T both = T::intersection(a, b), either = T::join(a, b);
      for (std::uint64_t x = 0; x <= T::kAll; ++x) {
        contained &= !b.has(x) || a.has(x);
        meet |= a.has(x) && b.has(x);
        ASSERT_TRUE(!a.has(x) || !b.has(x) || both.has(x));
        ASSERT_TRUE((!a.has(x) && !b.has(x)) || either.has(x));
      }
      ASSERT_EQ(a.contains(b), contained);
      ASSERT_EQ(a.overlaps(b), meet);
      if (meet) {
        for (const auto x : members(both)) ASSERT_TRUE(a.has(x) && b.has(x));
      }
      for (const T& other : all()) {  // nothing smaller holds both
        ASSERT_TRUE(!other.contains(a) || !other.contains(b) || other.contains(either));
      }
    }
}

TEST(Tnum, RangesAndTheirEnds) {
  for (std::uint64_t min = 0; min <= T::kAll; ++min)
    for (std::uint64_t max = min; max <= T::kAll; ++max) {
      const T range = T::range(min, max);
      for (std::uint64_t x = min; x <= max; ++x) ASSERT_TRUE(range.has(x));
      for (const T& other : all()) {
        if (other.has(min) && other.has(max) && other.contains(range)) continue;
        bool holds_all = true;
        for (std::uint64_t x = min; x <= max; ++x) holds_all &= other.has(x);
        ASSERT_FALSE(holds_all && range.contains(other) && other != range);
      }
    }
  for (const T& a : all()) {
    const auto values = members(a);
    std::int64_t least = 100, most = -100;
    for (const auto x : values)
      least = std::min(least, isa::sext<kBits>(x)), most = std::max(most, isa::sext<kBits>(x));
    ASSERT_EQ(a.umin(), values.front());
    ASSERT_EQ(a.umax(), values.back());
    ASSERT_EQ(a.smin(), least);
    ASSERT_EQ(a.smax(), most);
    ASSERT_EQ(a.is_constant(), values.size() == 1);
    ASSERT_EQ(a.is_unknown(), values.size() == T::kAll + 1);
    for (const std::uint64_t size : {1U, 2U, 4U, 8U}) {
      bool aligned = true;
      for (const auto x : values) aligned &= x % size == 0;
      ASSERT_EQ(a.is_aligned(size), aligned);
    }
  }
}

TEST(Tnum, NextMember) {
  for (const T& a : all())
    for (std::uint64_t x = 0; x <= T::kAll; ++x) {
      std::optional<std::uint64_t> expected;
      for (std::uint64_t y = x; y <= T::kAll && !expected; ++y)
        if (a.has(y)) expected = y;
      ASSERT_EQ(a.at_least(x), expected) << a.value << ';' << a.mask << ' ' << x;
    }
  EXPECT_EQ((Tnum<64>{0, std::uint64_t{1} << 63}.at_least(1)), std::uint64_t{1} << 63);
  EXPECT_EQ((Tnum<64>{0, std::uint64_t{1} << 63}.at_least(~std::uint64_t{0})), std::nullopt);
}

TEST(Tnum, FullWidthDoesNotLoseBits) {
  using Wide = Tnum<64>;
  EXPECT_EQ(Wide::range(0, ~0ULL), Wide::unknown());
  EXPECT_EQ(Wide::range(1ULL << 63, ~0ULL), (Wide{1ULL << 63, ~0ULL >> 1}));
  EXPECT_EQ(Wide::unknown() + Wide::constant(1), Wide::unknown());
  EXPECT_EQ((Wide{0, 0xff}.low(8) | Wide::constant(1ULL << 63)).umin(), 1ULL << 63);
  EXPECT_EQ(Wide::unknown().low(64), Wide::unknown());
  EXPECT_EQ(Wide::unknown().smin(), INT64_MIN);
}

}  // namespace
}  // namespace skep::verifier
