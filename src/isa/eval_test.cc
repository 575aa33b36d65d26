// eval and holds against arithmetic written down a second time on native types, at every pair of interesting
// values; and at 4 bits against the definition by enumeration.
#include "isa/eval.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <limits>
#include <optional>
#include <type_traits>
#include <vector>

namespace skep::isa {
namespace {

__extension__ using Wide = __int128;

std::vector<std::uint64_t> interesting() {
  std::vector<std::uint64_t> values;
  for (unsigned bit = 0; bit < 64; ++bit)
    for (const std::uint64_t around : {0UL, 1UL, 2UL}) values.push_back((std::uint64_t{1} << bit) + around - 1);
  for (const std::uint64_t value : {~0UL, ~1UL, 0x80000000UL << 32 | 0x80000000UL, 0x7fffffff7fffffffUL,
                                    0x0123456789abcdefUL, 0xfedcba9876543210UL, 0xffffffff00000000UL, 10UL, 63UL, 33UL})
    values.push_back(value);
  return values;
}

template <class U, class S>
U signed_division(U d, U s) {
  if (s == 0) return 0;
  return static_cast<U>(static_cast<Wide>(static_cast<S>(d)) / static_cast<S>(s));
}
template <class U, class S>
U signed_remainder(U d, U s) {
  if (s == 0) return d;
  return static_cast<U>(static_cast<Wide>(static_cast<S>(d)) % static_cast<S>(s));
}
template <class U, class S>
U arithmetic_shift(U d, unsigned count) {
  const U filled = static_cast<S>(d) < 0 && count ? static_cast<U>(~U{0} << (sizeof(U) * 8 - count)) : U{0};
  return static_cast<U>(d >> count) | filled;
}

template <class U>
std::uint64_t expected(AluOp op, std::uint64_t wide_d, std::uint64_t wide_s) {
  using S = std::make_signed_t<U>;
  const U d = static_cast<U>(wide_d), s = static_cast<U>(wide_s);
  const unsigned count = static_cast<unsigned>(s & (sizeof(U) * 8 - 1));
  switch (op) {
    case AluOp::Add: return static_cast<U>(d + s);
    case AluOp::Sub: return static_cast<U>(d + ~s + 1);
    case AluOp::Mul: return static_cast<U>(std::uint64_t{d} * s);
    case AluOp::Div: return s == 0 ? 0 : static_cast<U>(d / s);
    case AluOp::Mod: return s == 0 ? d : static_cast<U>(d - d / s * s);
    case AluOp::SDiv: return signed_division<U, S>(d, s);
    case AluOp::SMod: return signed_remainder<U, S>(d, s);
    case AluOp::Or: return static_cast<U>(~(~d & ~s));
    case AluOp::And: return static_cast<U>(~(~d | ~s));
    case AluOp::Xor: return static_cast<U>((d | s) & ~(d & s));
    case AluOp::Lsh: return static_cast<U>(static_cast<Wide>(d) << count);
    case AluOp::Rsh: return static_cast<U>(d >> count);
    case AluOp::Arsh: return arithmetic_shift<U, S>(d, count);
    case AluOp::Mov: return s;
    case AluOp::MovSx8: return static_cast<U>(static_cast<std::int8_t>(s));
    case AluOp::MovSx16: return static_cast<U>(static_cast<std::int16_t>(s));
    case AluOp::MovSx32: return static_cast<U>(static_cast<std::int32_t>(s));
    case AluOp::Neg: return static_cast<U>(~d + 1);
    case AluOp::Le16: return static_cast<std::uint16_t>(d);
    case AluOp::Le32: return static_cast<std::uint32_t>(d);
    case AluOp::Le64: return d;
    case AluOp::Be16:
    case AluOp::Swap16: return __builtin_bswap16(static_cast<std::uint16_t>(d));
    case AluOp::Be32:
    case AluOp::Swap32: return static_cast<U>(__builtin_bswap32(static_cast<std::uint32_t>(d)));
    case AluOp::Be64:
    case AluOp::Swap64: return static_cast<U>(__builtin_bswap64(d));
  }
  return 0;
}

template <class U>
bool expected(JumpOp op, std::uint64_t wide_a, std::uint64_t wide_b) {
  using S = std::make_signed_t<U>;
  const U a = static_cast<U>(wide_a), b = static_cast<U>(wide_b);
  const S sa = std::bit_cast<S>(a), sb = std::bit_cast<S>(b);
  switch (op) {
    case JumpOp::Eq: return !(a ^ b);
    case JumpOp::Ne: return a ^ b;
    case JumpOp::Gt: return b < a;
    case JumpOp::Ge: return !(a < b);
    case JumpOp::Lt: return a < b;
    case JumpOp::Le: return !(b < a);
    case JumpOp::Sgt: return sb < sa;
    case JumpOp::Sge: return !(sa < sb);
    case JumpOp::Slt: return sa < sb;
    case JumpOp::Sle: return !(sb < sa);
    case JumpOp::Set: return static_cast<U>(~(~a | ~b));
  }
  return false;
}

constexpr AluOp kAlu[] = {
#define ALU(name, ...) AluOp::name,
#define MOVSX(name, ...) AluOp::name,
#define MOVSX64(name, ...) AluOp::name,
#define NEGATE(name, ...) AluOp::name,
#define ENDIAN(name, ...) AluOp::name,
#include "isa/alu.def"
};
constexpr JumpOp kJump[] = {
#define JUMP(name, ...) JumpOp::name,
#include "isa/jump.def"
};

bool only_64(AluOp op) { return op == AluOp::MovSx32 || op == AluOp::Le64 || op >= AluOp::Be64; }

TEST(Eval, ArithmeticAgreesWithNativeTypes) {
  const auto values = interesting();
  for (const AluOp op : kAlu)
    for (const auto d : values)
      for (const auto s : values) {
        ASSERT_EQ(eval<64>(op, d, s), expected<std::uint64_t>(op, d, s)) << int(op) << ' ' << d << ' ' << s;
        if (only_64(op)) continue;
        ASSERT_EQ(eval<32>(op, d, s), expected<std::uint32_t>(op, d, s)) << int(op) << ' ' << d << ' ' << s;
      }
}

TEST(Eval, ConditionsAgreeWithNativeTypes) {
  const auto values = interesting();
  for (const JumpOp op : kJump)
    for (const auto a : values)
      for (const auto b : values) {
        ASSERT_EQ(holds<64>(op, a, b), expected<std::uint64_t>(op, a, b)) << int(op) << ' ' << a << ' ' << b;
        ASSERT_EQ(holds<32>(op, a, b), expected<std::uint32_t>(op, a, b)) << int(op) << ' ' << a << ' ' << b;
      }
}

// At 8 bits every pair can be tried, which is what tests of abstract domains rely on.
TEST(Eval, EightBitsExhaustively) {
  for (const AluOp op : kAlu) {
    if (op >= AluOp::MovSx16) continue;  // wider than 8 bits, or about fixed widths
    for (unsigned d = 0; d < 256; ++d)
      for (unsigned s = 0; s < 256; ++s) ASSERT_EQ(eval<8>(op, d, s), expected<std::uint8_t>(op, d, s)) << int(op);
  }
  for (const JumpOp op : kJump)
    for (unsigned a = 0; a < 256; ++a)
      for (unsigned b = 0; b < 256; ++b) ASSERT_EQ(holds<8>(op, a, b), expected<std::uint8_t>(op, a, b)) << int(op);
}

TEST(Eval, Atomics) {
  constexpr std::uint64_t d = 0xf0f0f0f0'0ff00ff0, s = 0x12345678'9abcdef1;
  EXPECT_EQ(eval<64>(AtomicOp::Add, d, s, 0), d + s);
  EXPECT_EQ(eval<64>(AtomicOp::Or, d, s, 0), d | s);
  EXPECT_EQ(eval<64>(AtomicOp::And, d, s, 0), d & s);
  EXPECT_EQ(eval<64>(AtomicOp::Xor, d, s, 0), d ^ s);
  EXPECT_EQ(eval<32>(AtomicOp::Add, d, s, 0), (d + s) & 0xffffffff);
  EXPECT_EQ(eval<64>(AtomicOp::Xchg, d, s, 0), s);
  EXPECT_EQ(eval<32>(AtomicOp::Xchg, d, s, 0), s & 0xffffffff);
  EXPECT_EQ(eval<64>(AtomicOp::CmpXchg, d, s, d), s);
  EXPECT_EQ(eval<64>(AtomicOp::CmpXchg, d, s, d + 1), d);
  EXPECT_EQ(eval<32>(AtomicOp::CmpXchg, d, s, d & 0xffffffff), s & 0xffffffff);  // compares 32 bits only
  EXPECT_EQ(eval<32>(AtomicOp::CmpXchg, d, s, d ^ 1), d & 0xffffffff);
}

static_assert(eval<64>(AluOp::SDiv, 1UL << 63, ~0UL) == 1UL << 63);
static_assert(eval<32>(AluOp::SDiv, 1UL << 31, ~0UL) == 1UL << 31);
static_assert(eval<64>(AluOp::SMod, 1UL << 63, ~0UL) == 0);
static_assert(eval<32>(AluOp::Mod, 0x1'00000007, 0) == 7);
static_assert(eval<32>(AluOp::Arsh, 0x80000000, 33) == 0xc0000000);
static_assert(holds<32>(JumpOp::Slt, 0x80000000, 0) && !holds<64>(JumpOp::Slt, 0x80000000, 0));

}  // namespace
}  // namespace skep::isa
