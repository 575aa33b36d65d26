#include "verifier/facts/numbers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace skep::verifier {
namespace {

using isa::AluOp;

constexpr AluOp kAll[] = {
#define ALU(name, ...) AluOp::name,
#define MOVSX(name, ...) AluOp::name,
#define MOVSX64(name, ...) AluOp::name,
#define NEGATE(name, ...) AluOp::name,
#define ENDIAN(name, ...) AluOp::name,
#include "isa/alu.def"
};

std::mt19937_64 random_engine(7);

// A number of an interesting magnitude.
std::uint64_t draw() {
  const std::uint64_t x = random_engine() >> (random_engine() % 64);
  switch (random_engine() % 4) {
    case 0: return ~x;
    case 1: return x << (random_engine() % 64);
    default: return x;
  }
}

// A set that has `x`, known in a way of several.
Number about(std::uint64_t x) {
  Number number;
  switch (random_engine() % 5) {
    case 0: return Number::constant(x);
    case 1: number.bits = {x & ~draw(), 0}, number.bits.mask = ~std::uint64_t{0}; break;
    case 2: {
      const std::uint64_t other = draw();
      number.full.limit_unsigned(std::min(x, other), std::max(x, other));
      break;
    }
    case 3: {
      const auto a = static_cast<std::int64_t>(x), b = static_cast<std::int64_t>(draw());
      number.full.limit_signed(std::min(a, b), std::max(a, b));
      break;
    }
    default: {
      const auto a = static_cast<std::uint32_t>(x), b = static_cast<std::uint32_t>(draw());
      number.half.limit_unsigned(std::min(a, b), std::max(a, b));
    }
  }
  const std::uint64_t mask = draw();
  if (random_engine() % 2 == 0 || number.bits.value != 0) number.bits = {x & ~mask, mask};
  number.sync(kFactRules);
  return number;
}

template <unsigned Bits>
void check(AluOp op, Part part) {
  for (int round = 0; round < 20'000; ++round) {
    const std::uint64_t d = draw(), s = draw() % (random_engine() % 2 != 0 ? 64 : ~std::uint64_t{0});
    const Number dst = about(d), src = about(s);
    const Number result = computed(op, part, dst, src);
    const std::uint64_t value = isa::eval<Bits>(op, d, s);
    ASSERT_TRUE(result.has(value)) << "operation " << static_cast<int>(op) << " of " << d << " and " << s << " at "
                                   << Bits << " bits";
  }
}

bool is_of_32_bits(AluOp op) {
  switch (op) {
#define ENDIAN(name, ...) case AluOp::name:
#define MOVSX64(name, ...) case AluOp::name:
#include "isa/alu.def"
    return false;
    default: return true;
  }
}

TEST(FactNumbers, EveryOperationIsSound) {
  for (const AluOp op : kAll) {
    check<64>(op, Part::Full);
    if (is_of_32_bits(op)) check<32>(op, Part::Half);
  }
}

TEST(FactNumbers, DivisionsKnowTheirRange) {
  const Number quotient = computed(AluOp::Div, Part::Full, zero_extended(16), Number::constant(10));
  EXPECT_EQ(quotient.full.umax, 6553U);
  EXPECT_EQ(computed(AluOp::Mod, Part::Full, Number{}, Number::constant(10)).full.umax, 9U);
  EXPECT_EQ(computed(AluOp::Mod, Part::Half, Number{}, Number::constant(10)).full.umax, 9U);
  EXPECT_EQ(computed(AluOp::Mod, Part::Full, zero_extended(8), Number{}).full.umax, 255U);  // by zero: the dividend
  EXPECT_EQ(computed(AluOp::Div, Part::Half, Number{}, Number{}).full.umax, 0xffff'ffffU);
}

TEST(FactNumbers, WidthsAreExact) {
  EXPECT_EQ(zero_extended(8).full.umax, 255U);
  EXPECT_EQ(sign_extended(8).full.smin, -128);
  EXPECT_EQ(sign_extended(8).full.smax, 127);
  EXPECT_TRUE(zero_extended(64) == Number{} && sign_extended(64) == Number{});
}

}  // namespace
}  // namespace skep::verifier
