// What arithmetic makes of scalars: one transfer function per operation, at both widths.
//
// alu(op, part, dst, src): soundness is the contract: for every d in dst and s in src, isa::eval<Bits>(op, d, s) is in
// the result. Linux's precision is the other half of it, no more and no less: division and remainder give up all
// knowledge, shifts by anything but a constant below the width too. Part::Half is the operation of ALU32 class.
// A constant is passed as Scalar::constant, sign-extended as the immediate is.
// resize() is what loads and byte-wise reads do to a value. Cost: below 100 instructions, multiplication by the
// width. Tested by: verifier/domain/scalar_test.cc, verifier/domain/kernel_test.cc.
#pragma once

#include <algorithm>

#include "isa/eval.h"
#include "verifier/domain/scalar.h"

namespace skep::verifier {
namespace detail {

// The bounds of one part, with the bits that belong to it.
template <unsigned Width, unsigned Bits>
constexpr Bounds<Width>& bounds_of(Scalar<Bits>& scalar) noexcept {
  if constexpr (Width == Bits)
    return scalar.full;
  else
    return scalar.half;
}
template <unsigned Width, unsigned Bits>
constexpr const Bounds<Width>& bounds_of(const Scalar<Bits>& scalar) noexcept {
  if constexpr (Width == Bits)
    return scalar.full;
  else
    return scalar.half;
}
template <unsigned Width, unsigned Bits>
constexpr Tnum<Bits> bits_of(const Scalar<Bits>& scalar) noexcept {
  return scalar.bits.low(Width);
}

// And, or, xor: `dst.bits` already holds the result's bits; the bounds follow from them and from the operands' bounds.
template <unsigned Width, unsigned Bits>
constexpr void bitwise_bounds(isa::AluOp op, Scalar<Bits>& dst, const Scalar<Bits>& src) noexcept {
  Bounds<Width>& bounds = bounds_of<Width>(dst);
  const Bounds<Width>& by = bounds_of<Width>(src);
  const Tnum<Bits> bits = bits_of<Width>(dst);
  using Unsigned = typename Bounds<Width>::Unsigned;
  if (bits.is_constant() && bits_of<Width>(src).is_constant()) {
    bounds = Bounds<Width>::constant(bits.value);
    return;
  }
  const auto least = static_cast<Unsigned>(bits.umin()), most = static_cast<Unsigned>(bits.umax());
  const auto old = bounds;
  bounds.umin = op == isa::AluOp::Or ? std::max(old.umin, by.umin) : least;
  bounds.umax = op == isa::AluOp::And ? std::min(old.umax, by.umax) : most;
  bounds.signed_from_unsigned();
}

template <unsigned Bits>
constexpr void bitwise(isa::AluOp op, Scalar<Bits>& dst, const Scalar<Bits>& src, Rules rules) noexcept {
  if (op == isa::AluOp::And) dst.bits = dst.bits & src.bits;
  if (op == isa::AluOp::Or) dst.bits = dst.bits | src.bits;
  if (op == isa::AluOp::Xor) dst.bits = dst.bits ^ src.bits;
  bitwise_bounds<Bits / 2>(op, dst, src);
  bitwise_bounds<Bits>(op, dst, src);
  dst.bounds_from_bits(rules);
}

template <unsigned Width>
constexpr void shift_left_unsigned(Bounds<Width>& bounds, unsigned by) noexcept {
  if (by >= Width || bounds.umax > std::uint64_t{1} << (Width - 1 - by))
    bounds.forget_unsigned();
  else
    bounds.umin <<= by, bounds.umax <<= by;
}

template <unsigned Bits>
constexpr void shift_left(Part part, Scalar<Bits>& dst, unsigned by, Rules rules) noexcept {
  constexpr unsigned half = Bits / 2;
  using Signed = typename Bounds<Bits>::Signed;
  const Bounds<half> low = dst.half;
  dst.half.forget_signed();
  shift_left_unsigned(dst.half, by);
  if (part == Part::Half) {
    dst.bits = dst.half_bits().shifted_left(by).low(half);
    dst.full = {};
    dst.half_bounds_from_bits();
    return;
  }
  // A shift by the half's width moves the half's sign to the whole's: with the shift back, a sign extension.
  const auto moved = [](auto x) { return static_cast<Signed>(static_cast<Signed>(x) * (Signed{1} << (Bits / 2))); };
  dst.full.forget_signed();
  if (by == half && (low.smax >= 0 || rules != Rules::Linux612)) dst.full.smax = moved(low.smax);
  if (by == half && (low.smin >= 0 || rules != Rules::Linux612)) dst.full.smin = moved(low.smin);
  shift_left_unsigned(dst.full, by);
  dst.bits = dst.bits.shifted_left(by);
  dst.bounds_from_bits(rules);
}

template <unsigned Bits>
constexpr void shift_right(Part part, Scalar<Bits>& dst, unsigned by, Rules rules) noexcept {
  if (part == Part::Half) {
    dst.half.forget_signed();
    dst.half.umin >>= by, dst.half.umax >>= by;
    dst.bits = dst.half_bits().shifted_right(by);
    dst.full = {};
    dst.half_bounds_from_bits();
    return;
  }
  dst.full.forget_signed();
  dst.full.umin >>= by, dst.full.umax >>= by;
  dst.bits = dst.bits.shifted_right(by);
  dst.half = {};
  dst.bounds_from_bits(rules);
}

template <unsigned Bits>
constexpr void shift_right_signed(Part part, Scalar<Bits>& dst, unsigned by, Rules rules) noexcept {
  constexpr unsigned half = Bits / 2;
  if (part == Part::Half) {
    dst.half.forget_unsigned();
    dst.half.smin >>= by, dst.half.smax >>= by;
    const auto low = Tnum<half>{dst.half_bits().value, dst.half_bits().mask}.shifted_right_signed(by);
    dst.bits = {low.value, low.mask};
    dst.full = {};
    dst.half_bounds_from_bits();
    return;
  }
  dst.full.forget_unsigned();
  dst.full.smin >>= by, dst.full.smax >>= by;
  dst.bits = dst.bits.shifted_right_signed(by);
  dst.half = {};
  dst.bounds_from_bits(rules);
}

// The low From bits of dst, sign-extended to Width, which is the whole or the half.
template <unsigned From, unsigned Width, unsigned Bits>
constexpr void extend_sign_bounds(Scalar<Bits>& dst) noexcept {
  Bounds<Width>& bounds = bounds_of<Width>(dst);
  const auto a = static_cast<typename Bounds<Width>::Signed>(isa::sext<From>(static_cast<std::uint64_t>(bounds.smin)));
  const auto b = static_cast<typename Bounds<Width>::Signed>(isa::sext<From>(static_cast<std::uint64_t>(bounds.smax)));
  const bool same_upper = bounds.smin >> (From - 1) >> 1 == bounds.smax >> (From - 1) >> 1;
  if (same_upper && (a >= 0) == (b >= 0)) {
    const auto [min, max] = std::minmax(a, b);
    bounds = {min, max, bounds.reduced(min), bounds.reduced(max)};
    dst.bits = Tnum<Bits>::range(isa::zext<Bits>(static_cast<std::uint64_t>(min)),
                                 isa::zext<Bits>(static_cast<std::uint64_t>(max)))
                   .low(Width);
    if constexpr (Width == Bits && From <= Bits / 2) {
      using Low = Bounds<Bits / 2>;
      const auto low = static_cast<std::uint64_t>(min), high = static_cast<std::uint64_t>(max);
      dst.half = {Low::extended(low), Low::extended(high), Low::reduced(low), Low::reduced(high)};
    }
    return;
  }
  constexpr auto most = static_cast<std::int64_t>((std::uint64_t{1} << (From - 1)) - 1);
  using Signed = typename Bounds<Width>::Signed;
  bounds = {static_cast<Signed>(-most - 1), static_cast<Signed>(most), 0, bounds.kUmax};
  dst.bits = Tnum<Bits>::unknown().low(Width);
  if constexpr (Width == Bits) {
    using Low = Bounds<Bits / 2>;
    dst.half = {static_cast<typename Low::Signed>(-most - 1), static_cast<typename Low::Signed>(most), 0, Low::kUmax};
  }
}

template <unsigned From, unsigned Bits>
constexpr void extend_sign(Part part, Scalar<Bits>& dst, Rules rules) noexcept {
  if (dst.is_constant()) {
    const auto extended = static_cast<std::uint64_t>(isa::sext<From>(dst.value()));
    dst = Scalar<Bits>::constant(part == Part::Full ? extended : isa::zext<Bits / 2>(extended));
    return;
  }
  if (part == Part::Full) return extend_sign_bounds<From, Bits>(dst);
  extend_sign_bounds<From, Bits / 2>(dst);
  dst.extend_half();
  dst.sync(rules);
}

// Whether Linux computes a range, given the source operand.
template <unsigned Bits>
constexpr bool is_computable(isa::AluOp op, Part part, const Scalar<Bits>& src) noexcept {
  using enum isa::AluOp;
  switch (op) {
    case Add:
    case Sub:
    case Mul:
    case And:
    case Or:
    case Xor: return true;
    case Lsh:
    case Rsh:
    case Arsh: {
      const bool exact = part == Part::Full ? src.full.is_constant() : src.half.is_constant();
      return src.is_constant(part) && exact && src.full.umax < (part == Part::Full ? Bits : Bits / 2);
    }
    default: return false;
  }
}

}  // namespace detail

// dst = dst op src, for the operations with two operands except moves; `part` is the instruction's width.
template <unsigned Bits>
constexpr void alu(isa::AluOp op, Part part, Scalar<Bits>& dst, const Scalar<Bits>& src, Rules rules) noexcept {
  using enum isa::AluOp;
  if (!detail::is_computable(op, part, src)) {
    dst = Scalar<Bits>::unknown();
    return;
  }
  const auto by = static_cast<unsigned>(src.half.umin);
  switch (op) {
    case Add:
      dst.half.add(src.half, rules);
      dst.full.add(src.full, rules);
      dst.bits = dst.bits + src.bits;
      break;
    case Sub:
      dst.half.subtract(src.half, rules);
      dst.full.subtract(src.full, rules);
      dst.bits = dst.bits - src.bits;
      break;
    case Mul:
      dst.bits = Tnum<Bits>::product(dst.bits, src.bits, rules);
      dst.half.multiply(src.half, rules);
      dst.full.multiply(src.full, rules);
      break;
    case Lsh: detail::shift_left(part, dst, by, rules); break;
    case Rsh: detail::shift_right(part, dst, by, rules); break;
    case Arsh: detail::shift_right_signed(part, dst, by, rules); break;
    default: detail::bitwise(op, dst, src, rules); break;
  }
  if (part == Part::Half) dst.extend_half();
  dst.sync(rules);
}

// dst = src at the instruction's width; the 32-bit form zero-extends.
template <unsigned Bits>
constexpr void move(Part part, Scalar<Bits>& dst, const Scalar<Bits>& src, Rules rules) noexcept {
  dst = src;
  if (part == Part::Full) return;
  dst.extend_half();
  dst.sync(rules);
}

// dst = -dst. 6.12 does not follow it.
template <unsigned Bits>
constexpr void negate(Part part, Scalar<Bits>& dst, Rules rules) noexcept {
  const Scalar<Bits> operand = dst;
  dst = Scalar<Bits>::unknown();
  if (rules == Rules::Linux612) return;
  dst = Scalar<Bits>::constant(0);
  alu(isa::AluOp::Sub, part, dst, operand, rules);
}

// The low `bits` bits of dst, the rest zero: what a narrow load leaves of a value.
template <unsigned Bits>
constexpr void resize(unsigned bits, Scalar<Bits>& dst, Rules rules) noexcept {
  using Full = Bounds<Bits>;
  using Unsigned = typename Full::Unsigned;
  const auto keep = static_cast<Unsigned>(Full::kUmax >> (Bits - bits));
  dst.bits = dst.bits.low(bits);
  if ((dst.full.umin & ~keep) == (dst.full.umax & ~keep))
    dst.full.umin &= keep, dst.full.umax &= keep;
  else
    dst.full.umin = 0, dst.full.umax = keep;
  dst.full.smin = static_cast<typename Full::Signed>(dst.full.umin);
  dst.full.smax = static_cast<typename Full::Signed>(dst.full.umax);
  if (bits < Bits / 2) dst.half = {};
  dst.sync(rules);
}

}  // namespace skep::verifier
