// Soundness of every transfer function and refinement, against the instruction tables: every scalar of 4 and of 6 bits
// with a sample of the others; at full width random scalars with chosen members.
#include "verifier/domain/scalar.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <tuple>
#include <vector>

#include "isa/eval.h"
#include "verifier/domain/alu.h"
#include "verifier/domain/branch.h"
#include "verifier/domain/print.h"

namespace skep::verifier {
namespace {

constexpr Rules kBoth[] = {Rules::Linux612, Rules::Linux618};
constexpr isa::AluOp kOps[] = {isa::AluOp::Add,  isa::AluOp::Sub,  isa::AluOp::Mul, isa::AluOp::Div, isa::AluOp::Or,
                               isa::AluOp::And,  isa::AluOp::Lsh,  isa::AluOp::Rsh, isa::AluOp::Mod, isa::AluOp::Xor,
                               isa::AluOp::Arsh, isa::AluOp::SDiv, isa::AluOp::SMod};
constexpr isa::JumpOp kJumps[] = {
#define JUMP(name, ...) isa::JumpOp::name,
#include "isa/jump.def"
};

template <unsigned Bits>
std::vector<std::uint64_t> members(const Scalar<Bits>& scalar) {
  std::vector<std::uint64_t> result;
  for (std::uint64_t x = 0; x <= Tnum<Bits>::kAll; ++x)
    if (scalar.has(x)) result.push_back(x);
  return result;
}

// Scalars of a small width, one for each way a range, a range of the lower half and a tnum can meet.
template <unsigned Bits>
std::vector<Scalar<Bits>> all(Rules rules) {
  using S = Scalar<Bits>;
  auto key = [](const S& s) {
    return std::tuple(s.bits.value, s.bits.mask, s.full.smin, s.full.smax, s.full.umin, s.full.umax, s.half.smin,
                      s.half.smax, s.half.umin, s.half.umax);
  };
  std::set<decltype(key(S{}))> seen;
  std::vector<S> result;
  auto keep = [&](S s) {
    s.sync(rules);
    if (!members(s).empty() && !s.contradiction() && seen.insert(key(s)).second) result.push_back(s);
  };
  const auto count = static_cast<std::int64_t>(Tnum<Bits>::kAll) + 1;
  for (std::int64_t min = -count / 2; min < count; ++min)
    for (std::int64_t max = min; max < count; ++max)
      for (std::uint64_t mask = 0; mask <= Tnum<Bits>::kAll; ++mask) {
        S s;
        if (min < 0 && max < count / 2)
          s.full.limit_signed(static_cast<typename S::Full::Signed>(min), static_cast<typename S::Full::Signed>(max));
        else if (min >= 0)
          s.full.limit_unsigned(static_cast<typename S::Full::Unsigned>(min),
                                static_cast<typename S::Full::Unsigned>(max));
        else
          continue;
        s.bits = {static_cast<std::uint64_t>(min) & ~mask & Tnum<Bits>::kAll, mask};
        keep(s);
        S low = s;
        low.half.limit_signed(0, 1);
        keep(low);
        low.half.limit_unsigned(1, 2);
        keep(low);
      }
  return result;
}

template <unsigned Bits>
std::uint64_t evaluated(isa::AluOp op, Part part, std::uint64_t d, std::uint64_t s) {
  return part == Part::Full ? isa::eval<Bits>(op, d, s) : isa::eval<Bits / 2>(op, d, s);
}
template <unsigned Bits>
bool holding(isa::JumpOp op, Part part, std::uint64_t a, std::uint64_t b) {
  return part == Part::Full ? isa::holds<Bits>(op, a, b) : isa::holds<Bits / 2>(op, a, b);
}

template <unsigned Bits>
std::string shown(const Scalar<Bits>& s) {
  return "bits " + std::to_string(s.bits.value) + ";" + std::to_string(s.bits.mask) + " s " +
         std::to_string(s.full.smin) + ".." + std::to_string(s.full.smax) + " u " + std::to_string(s.full.umin) + ".." +
         std::to_string(s.full.umax) + " s half " + std::to_string(s.half.smin) + ".." + std::to_string(s.half.smax) +
         " u half " + std::to_string(s.half.umin) + ".." + std::to_string(s.half.umax);
}

// One value of a sample with the scalar it is in.
template <unsigned Bits>
struct Operand {
  Scalar<Bits> scalar;
  std::vector<std::uint64_t> values;
};

template <unsigned Bits>
void expect_sound(isa::AluOp op, Part part, const Operand<Bits>& a, const Operand<Bits>& b, Rules rules) {
  Scalar<Bits> result = a.scalar;
  alu(op, part, result, b.scalar, rules);
  for (const auto x : a.values)
    for (const auto y : b.values)
      ASSERT_TRUE(result.has(evaluated<Bits>(op, part, x, y)))
          << "operation " << int(op) << (part == Part::Half ? " half" : "") << " of " << x << " in " << shown(a.scalar)
          << " and " << y << " in " << shown(b.scalar) << " gives " << shown(result);
}

template <unsigned Bits>
void expect_sound(isa::JumpOp op, Part part, const Operand<Bits>& a, const Operand<Bits>& b, Rules rules) {
  const Outcome told = outcome(op, part, a.scalar, b.scalar, rules);
  Scalar<Bits> yes_a = a.scalar, yes_b = b.scalar, no_a = a.scalar, no_b = b.scalar;
  if (told == Outcome::Unknown) {
    refine(op, part, Side::Taken, yes_a, yes_b, rules);
    refine(op, part, Side::NotTaken, no_a, no_b, rules);
  }
  for (const auto x : a.values)
    for (const auto y : b.values) {
      const bool holds = holding<Bits>(op, part, x, y);
      ASSERT_NE(told, holds ? Outcome::Never : Outcome::Always)
          << int(op) << ": " << x << " in " << shown(a.scalar) << ", " << y << " in " << shown(b.scalar);
      ASSERT_TRUE(holds ? yes_a.has(x) && yes_b.has(y) : no_a.has(x) && no_b.has(y))
          << int(op) << ": " << x << " in " << shown(a.scalar) << ", " << y << " in " << shown(b.scalar);
    }
}

// Every scalar as the first operand, each with some of the others as the second.
template <unsigned Bits>
void expect_all_sound(std::size_t partners) {
  std::mt19937_64 random(Bits);
  for (const Rules rules : kBoth) {
    std::vector<Operand<Bits>> operands;
    for (const auto& s : all<Bits>(rules)) operands.push_back({s, members(s)});
    ASSERT_GT(operands.size(), 50U);
    for (const auto& a : operands)
      for (std::size_t i = 0; i < partners; ++i) {
        const auto& b = operands[random() % operands.size()];
        for (const Part part : {Part::Half, Part::Full}) {
          for (const auto op : kOps) ASSERT_NO_FATAL_FAILURE(expect_sound(op, part, a, b, rules));
          for (const auto op : kJumps) ASSERT_NO_FATAL_FAILURE(expect_sound(op, part, a, b, rules));
        }
      }
  }
}

TEST(Scalar, ArithmeticAndConditionsAreSoundOnScalarsOf4Bits) { expect_all_sound<4>(20); }
TEST(Scalar, ArithmeticAndConditionsAreSoundOnScalarsOf6Bits) { expect_all_sound<6>(1); }

TEST(Scalar, SyncKeepsEveryMember) {
  for (const Rules rules : kBoth)
    for (const auto& s : all<6>(rules)) {
      auto raw = s;
      raw.half.limit_unsigned(1, 5);
      auto synced = raw;
      synced.sync(rules);
      for (const auto x : members(raw))
        ASSERT_TRUE(synced.has(x)) << x << " in " << shown(raw) << " not " << shown(synced);
    }
}

TEST(Scalar, UnaryOperationsAreSound) {
  constexpr unsigned kBits = 8;
  for (const Rules rules : kBoth)
    for (std::int64_t min = -128; min < 256; min += 5)
      for (std::int64_t max = min; max < 256; max += 3)
        for (const std::uint64_t mask : {0x0ULL, 0x1ULL, 0xfULL, 0xf0ULL, 0xffULL, 0x87ULL}) {
          Scalar<kBits> s;
          if (min >= 0)
            s.full.limit_unsigned(static_cast<std::uint32_t>(min), static_cast<std::uint32_t>(max));
          else
            s.full.limit_signed(static_cast<std::int32_t>(min),
                                static_cast<std::int32_t>(std::min<std::int64_t>(max, 127)));
          s.bits = {static_cast<std::uint64_t>(max) & ~mask & 0xff, mask};
          s.sync(rules);
          const auto values = members(s);
          if (values.empty() || s.contradiction()) continue;
          auto narrow = s, moved = s, sx = s, sx_half = s, negated = s, negated_half = s;
          resize(2, narrow, rules);
          move(Part::Half, moved, s, rules);
          detail::extend_sign<2>(Part::Full, sx, rules);
          detail::extend_sign<2>(Part::Half, sx_half, rules);
          negate(Part::Full, negated, rules);
          negate(Part::Half, negated_half, rules);
          for (const auto x : values) {
            ASSERT_TRUE(narrow.has(x & 3)) << x << ' ' << shown(s);
            ASSERT_TRUE(moved.has(x & 0xf)) << x << ' ' << shown(s);
            ASSERT_TRUE(sx.has(static_cast<std::uint64_t>(isa::sext<2>(x)))) << x << ' ' << shown(s) << shown(sx);
            ASSERT_TRUE(sx_half.has(isa::zext<4>(static_cast<std::uint64_t>(isa::sext<2>(x))))) << x << ' ' << shown(s);
            ASSERT_TRUE(negated.has(isa::eval<8>(isa::AluOp::Neg, x, 0))) << x << ' ' << shown(s);
            ASSERT_TRUE(negated_half.has(isa::eval<4>(isa::AluOp::Neg, x, 0))) << x << ' ' << shown(s);
          }
        }
}

// Full width: a scalar grown around a few members, all of which every operation must keep.
Operand<64> random_operand(std::mt19937_64& random, Rules rules) {
  const auto shape = random();
  auto number = [&] {
    std::uint64_t x = random();
    if (shape & 1) x >>= shape >> 8 & 63;
    if (shape & 2) x = static_cast<std::uint64_t>(static_cast<std::int64_t>(x) >> (shape >> 16 & 63));
    if (shape & 4) x = (shape >> 24 & 0xfff) - 0x800 + (x & 7);
    return x;
  };
  Operand<64> result{Scalar64::constant(number()), {}};
  result.values = {result.scalar.value()};
  for (int i = 0; i < 3; ++i) {
    const std::uint64_t x = number();
    const Scalar64 one = Scalar64::constant(x);
    Scalar64& s = result.scalar;
    s.bits = Tnum64::join(s.bits, one.bits);
    s.full = {std::min(s.full.smin, one.full.smin), std::max(s.full.smax, one.full.smax),
              std::min(s.full.umin, one.full.umin), std::max(s.full.umax, one.full.umax)};
    s.half = {std::min(s.half.smin, one.half.smin), std::max(s.half.smax, one.half.smax),
              std::min(s.half.umin, one.half.umin), std::max(s.half.umax, one.half.umax)};
    result.values.push_back(x);
  }
  if (shape & 8) result.scalar.half = {};
  if (shape & 16) result.scalar.bits = Tnum64::unknown();
  result.scalar.sync(rules);
  return result;
}

TEST(Scalar, SoundAtFullWidth) {
  std::mt19937_64 random(612);
  for (int i = 0; i < 20000; ++i)
    for (const Rules rules : kBoth) {
      const auto a = random_operand(random, rules), b = random_operand(random, rules);
      for (const auto x : a.values) ASSERT_TRUE(a.scalar.has(x));
      for (const Part part : {Part::Half, Part::Full}) {
        for (const auto op : kOps) ASSERT_NO_FATAL_FAILURE(expect_sound(op, part, a, b, rules));
        for (const auto op : kJumps) ASSERT_NO_FATAL_FAILURE(expect_sound(op, part, a, b, rules));
      }
    }
}

TEST(Scalar, ConstantsFold) {
  std::mt19937_64 random(64);
  for (int i = 0; i < 5000; ++i) {
    const std::uint64_t x = random() >> (random() & 63), y = random() >> (random() & 63);
    for (const auto op : {isa::AluOp::Add, isa::AluOp::Sub, isa::AluOp::Mul, isa::AluOp::And, isa::AluOp::Xor}) {
      Scalar64 result = Scalar64::constant(x);
      alu(op, Part::Full, result, Scalar64::constant(y), Rules::Linux612);
      ASSERT_TRUE(result.is_constant());
      ASSERT_EQ(result.value(), isa::eval<64>(op, x, y));
    }
  }
}

TEST(Scalar, ContradictionsAreNamed) {
  Scalar64 s;
  EXPECT_FALSE(s.contradiction());
  s.full.umin = 5, s.full.umax = 4;
  EXPECT_EQ(s.contradiction(), "range bounds violation");
  s = Scalar64::constant(7);
  s.full.umax = 8;
  EXPECT_EQ(s.contradiction(), "const tnum out of sync with range bounds");
  s = Scalar64::constant(7);
  s.bits.mask = std::uint64_t{1} << 40;
  s.half.umin = 6;
  EXPECT_EQ(s.contradiction(), "const subreg tnum out of sync with range bounds");
  s.forget_bounds();
  EXPECT_EQ(s.full, Scalar64{}.full);
}

}  // namespace
}  // namespace skep::verifier
