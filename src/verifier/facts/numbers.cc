#include "verifier/facts/numbers.h"

#include <algorithm>

namespace skep::verifier {
namespace {

using isa::AluOp;

// The numbers from `min` to `max`, both of the part's width; 32-bit operations clear the upper half.
Number from_range(std::uint64_t min, std::uint64_t max) noexcept {
  Number number;
  number.full.limit_unsigned(min, max);
  number.sync(kFactRules);
  return number;
}

struct Range {
  std::uint64_t min, max;
};
Range range_of(Part part, const Number& number) noexcept {
  if (part == Part::Full) return {number.full.umin, number.full.umax};
  return {number.half.umin, number.half.umax};
}
bool excludes_zero(Part part, const Number& number) noexcept {
  if (number.is_constant(part)) return number.value(part) != 0;
  if (part == Part::Full) return !number.full.has(0) || number.bits.value != 0;
  return !number.half.has(0) || number.half_bits().value != 0;
}

// By zero, the quotient is 0 and the remainder the dividend.
Number quotient(Part part, const Number& dst, const Number& src) noexcept {
  const Range d = range_of(part, dst), s = range_of(part, src);
  if (!excludes_zero(part, src)) return from_range(0, d.max);
  return from_range(d.min / std::max<std::uint64_t>(s.max, 1), d.max / std::max<std::uint64_t>(s.min, 1));
}
Number remainder(Part part, const Number& dst, const Number& src) noexcept {
  const Range d = range_of(part, dst), s = range_of(part, src);
  return from_range(0, excludes_zero(part, src) ? std::min(d.max, std::max<std::uint64_t>(s.max, 1) - 1) : d.max);
}

Number zero_upper_half(Number number) noexcept {
  number.extend_half();
  number.sync(kFactRules);
  return number;
}

Number extended(AluOp op, Part part, Number number) noexcept {
  if (op == AluOp::MovSx8) detail::extend_sign<8>(part, number, kFactRules);
  if (op == AluOp::MovSx16) detail::extend_sign<16>(part, number, kFactRules);
  if (op == AluOp::MovSx32) detail::extend_sign<32>(part, number, kFactRules);
  return number;
}

// Of a number that is not known, what is left is its width.
Number reordered(AluOp op, const Number& number) noexcept {
  if (number.is_constant()) return Number::constant(isa::eval<64>(op, number.value(), 0));
  const std::uint64_t kept = isa::eval<64>(op, ~std::uint64_t{0}, 0);
  return from_range(0, kept);
}

// The operations of domain/alu.h; what it does not follow at 32 bits still clears the upper half.
Number followed(AluOp op, Part part, Number dst, const Number& src) noexcept {
  if (detail::is_computable(op, part, src)) {
    alu(op, part, dst, src, kFactRules);
    return dst;
  }
  return part == Part::Full ? Number{} : zero_upper_half(Number{});
}

}  // namespace

Number zero_extended(unsigned bits) noexcept { return from_range(0, ~std::uint64_t{0} >> (64 - bits)); }

Number sign_extended(unsigned bits) noexcept {
  Number number;
  const auto most = static_cast<std::int64_t>(~std::uint64_t{0} >> (65 - bits));
  number.full.limit_signed(-most - 1, most);
  number.sync(kFactRules);
  return number;
}

Number computed(AluOp op, Part part, const Number& dst, const Number& src) noexcept {
  switch (op) {
    case AluOp::Mov: return part == Part::Full ? src : zero_upper_half(src);
    case AluOp::MovSx8:
    case AluOp::MovSx16:
    case AluOp::MovSx32: return extended(op, part, src);
    case AluOp::Neg: {
      Number negated = dst;
      negate(part, negated, Rules::Linux618);
      return negated;
    }
    case AluOp::Div: return quotient(part, dst, src);
    case AluOp::Mod: return remainder(part, dst, src);
    case AluOp::Le16:
    case AluOp::Le32:
    case AluOp::Le64:
    case AluOp::Be16:
    case AluOp::Be32:
    case AluOp::Be64:
    case AluOp::Swap16:
    case AluOp::Swap32:
    case AluOp::Swap64: return reordered(op, dst);
    case AluOp::Add:
    case AluOp::Sub:
    case AluOp::Mul:
    case AluOp::And:
    case AluOp::Or:
    case AluOp::Xor:
    case AluOp::Lsh:
    case AluOp::Rsh:
    case AluOp::Arsh:
    case AluOp::SDiv:
    case AluOp::SMod: return followed(op, part, dst, src);
  }
  return {};
}

}  // namespace skep::verifier
