#include "spec/facts.h"

#include <gtest/gtest.h>

namespace skep::spec {
namespace {

using Kind = Fact::Kind;
using Reach = Facts::Reach;

Fact constant(std::uint64_t x) {
  Fact fact{.kind = Kind::Number};
  fact.numbers.umin = fact.numbers.umax = x;
  return fact;
}

// r1 is 1 on entry to instruction 0; r2 is 2 behind it; r1 unknown behind 1; 3 begins anew with r1 = 3; 4 is dead.
Facts small() {
  Facts facts;
  facts.values = {Fact{}, constant(1), constant(2), constant(3)};
  facts.claims = {Facts::Claim::of(1, 1), Facts::Claim::of(2, 2), Facts::Claim::of(1, 0), Facts::Claim::of(1, 3)};
  facts.entries = {{0, 1, Reach::Anew}, {1, 1, Reach::Follows}, {2, 1, Reach::Follows}, {3, 1, Reach::Anew}, {}};
  return facts;
}

TEST(Facts, OneRegisterIsLookedUpInItsBlock) {
  const Facts facts = small();
  EXPECT_EQ(facts.at(0, 1), constant(1));
  EXPECT_EQ(facts.at(1, 1), constant(1));
  EXPECT_EQ(facts.at(2, 1), Fact{});
  EXPECT_EQ(facts.at(2, 2), constant(2));
  EXPECT_EQ(facts.at(3, 2), Fact{});
  EXPECT_EQ(facts.at(3, 1), constant(3));
  EXPECT_TRUE(facts.reached(3));
  EXPECT_FALSE(facts.reached(4));
}

TEST(Facts, MovedTheySayTheSameWhereTheInstructionsWent) {
  const Facts old = small();
  const std::uint32_t places[] = {0, 3, 4, 5, 7};  // 0 became three, 3 two
  const Facts moved = old.moved(places, 8);
  ASSERT_EQ(moved.entries.size(), 8U);
  for (std::size_t i = 0; i < 4; ++i)
    for (unsigned reg = 0; reg < isa::kRegisters; ++reg)
      EXPECT_EQ(moved.at(places[i], reg), old.at(i, reg)) << i << " r" << reg;
  EXPECT_FALSE(moved.reached(7));
}

TEST(Facts, NothingIsClaimedBetweenInstructionsThatOneBecame) {
  const std::uint32_t places[] = {0, 3, 4, 5, 7};
  const Facts moved = small().moved(places, 8);
  for (const std::size_t between : {1, 2, 6}) {
    EXPECT_TRUE(moved.reached(between));
    for (unsigned reg = 0; reg < isa::kRegisters; ++reg) EXPECT_EQ(moved.at(between, reg), Fact{}) << between;
  }
}

TEST(Facts, AnInstructionThatWentAwayLeavesItsNews) {
  const std::uint32_t places[] = {0, 1, 1, 2, 3};
  const Facts moved = small().moved(places, 4);
  EXPECT_EQ(moved.at(1, 1), Fact{});
  EXPECT_EQ(moved.at(1, 2), constant(2));
}

TEST(Numbers, HaveWhatAllOfTheirRangesHave) {
  Numbers numbers;
  EXPECT_TRUE(numbers.has(0) && numbers.has(~std::uint64_t{0}));
  numbers.smax = 9;
  EXPECT_TRUE(numbers.has(9) && numbers.has(~std::uint64_t{0}));
  EXPECT_FALSE(numbers.has(10));
  numbers.low_smin = 0;
  EXPECT_FALSE(numbers.has(~std::uint64_t{0}));
  numbers.bits = 1, numbers.unknown = ~std::uint64_t{1};
  EXPECT_FALSE(numbers.has(8));
  EXPECT_TRUE(numbers.excludes_zero());
  EXPECT_TRUE(numbers.low_excludes_zero());
}

TEST(Numbers, TheLowHalfMayBeZeroWhereTheWholeIsNot) {
  Numbers numbers;
  numbers.umin = 1;
  EXPECT_TRUE(numbers.excludes_zero());
  EXPECT_FALSE(numbers.low_excludes_zero());
}

}  // namespace
}  // namespace skep::spec
