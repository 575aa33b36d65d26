// What conditional jumps tell about scalars.
//
// outcome(op, part, a, b): whether `a op b` holds for all pairs (Always), for none (Never), or may do either (Unknown,
// which it may say although the truth is one of the others). refine() narrows both operands on one side of the branch:
// every pair (x, y) from the operands with holds(op, x, y) == side stays in the result; how much else goes is Linux's
// choice. Narrowing a branch that cannot be taken may leave an impossible scalar (Scalar::contradiction).
// Part::Half compares the lower halves. Source: Documentation/bpf/verifier.rst. Tested by:
// verifier/domain/scalar_test.cc, verifier/domain/kernel_test.cc.
#pragma once

#include <bit>
#include <utility>

#include "isa/eval.h"
#include "verifier/domain/alu.h"
#include "verifier/domain/scalar.h"

namespace skep::verifier {

enum class Outcome : std::uint8_t { Never, Always, Unknown };
enum class Side : std::uint8_t { NotTaken, Taken };

constexpr Outcome opposite(Outcome outcome) noexcept {
  if (outcome == Outcome::Unknown) return outcome;
  return outcome == Outcome::Never ? Outcome::Always : Outcome::Never;
}

// The condition that holds of (b, a) exactly when `op` holds of (a, b).
constexpr isa::JumpOp flipped(isa::JumpOp op) noexcept {
  using enum isa::JumpOp;
  switch (op) {
    case Gt: return Lt;
    case Ge: return Le;
    case Lt: return Gt;
    case Le: return Ge;
    case Sgt: return Slt;
    case Sge: return Sle;
    case Slt: return Sgt;
    case Sle: return Sge;
    case Eq:
    case Ne:
    case Set: return op;
  }
  return op;
}

namespace detail {

// What refining can learn from: the conditions of jump.def without those that are another with its operands exchanged,
// and the absence of bits, which no instruction tests for.
enum class Fact : std::uint8_t { Equal, Unequal, Set, Clear, LessOrEqual, Less, SignedLessOrEqual, SignedLess };

struct Learned {
  Fact fact;
  bool exchanged;  // it is about (b, a)
};

// What is known where `op` of (a, b) came out as `side` says.
constexpr Learned learned(isa::JumpOp op, Side side) noexcept {
  using enum isa::JumpOp;
  const bool yes = side == Side::Taken;
  switch (op) {
    case Eq: return {yes ? Fact::Equal : Fact::Unequal, false};
    case Ne: return {yes ? Fact::Unequal : Fact::Equal, false};
    case Set: return {yes ? Fact::Set : Fact::Clear, false};
    case Le: return {yes ? Fact::LessOrEqual : Fact::Less, !yes};
    case Lt: return {yes ? Fact::Less : Fact::LessOrEqual, !yes};
    case Ge: return {yes ? Fact::LessOrEqual : Fact::Less, yes};
    case Gt: return {yes ? Fact::Less : Fact::LessOrEqual, yes};
    case Sle: return {yes ? Fact::SignedLessOrEqual : Fact::SignedLess, !yes};
    case Slt: return {yes ? Fact::SignedLess : Fact::SignedLessOrEqual, !yes};
    case Sge: return {yes ? Fact::SignedLessOrEqual : Fact::SignedLess, yes};
    case Sgt: return {yes ? Fact::SignedLess : Fact::SignedLessOrEqual, yes};
  }
  return {Fact::Equal, false};
}

template <unsigned Width>
constexpr bool disjoint(const Bounds<Width>& a, const Bounds<Width>& b) noexcept {
  return a.umin > b.umax || a.umax < b.umin || a.smin > b.smax || a.smax < b.smin;
}

template <unsigned Bits>
constexpr Outcome equal_outcome(Part part, const Scalar<Bits>& a, const Scalar<Bits>& b, Rules rules) noexcept {
  if (a.is_constant(part) && b.is_constant(part))
    return a.value(part) == b.value(part) ? Outcome::Always : Outcome::Never;
  if (rules != Rules::Linux612) {
    const bool overlap = part == Part::Full ? a.bits.overlaps(b.bits) : a.half_bits().overlaps(b.half_bits());
    if (!overlap) return Outcome::Never;
  }
  if (part == Part::Full && disjoint(a.full, b.full)) return Outcome::Never;
  return disjoint(a.half, b.half) ? Outcome::Never : Outcome::Unknown;
}

template <unsigned Bits>
constexpr Outcome set_outcome(Part part, const Scalar<Bits>& a, const Scalar<Bits>& b) noexcept {
  if (!b.is_constant(part)) return a.is_constant(part) ? set_outcome(part, b, a) : Outcome::Unknown;
  const Tnum<Bits> bits = part == Part::Full ? a.bits : a.half_bits();
  if (bits.value & b.value(part)) return Outcome::Always;
  return bits.umax() & b.value(part) ? Outcome::Unknown : Outcome::Never;
}

constexpr Outcome less_outcome(auto amin, auto amax, auto bmin, auto bmax) noexcept {
  if (amax < bmin) return Outcome::Always;
  return amin >= bmax ? Outcome::Never : Outcome::Unknown;
}

template <unsigned Width>
constexpr Outcome order_outcome(isa::JumpOp op, const Bounds<Width>& a, const Bounds<Width>& b) noexcept {
  using enum isa::JumpOp;
  switch (op) {
    case Lt: return less_outcome(a.umin, a.umax, b.umin, b.umax);
    case Gt: return less_outcome(b.umin, b.umax, a.umin, a.umax);
    case Ge: return opposite(less_outcome(a.umin, a.umax, b.umin, b.umax));
    case Le: return opposite(less_outcome(b.umin, b.umax, a.umin, a.umax));
    case Slt: return less_outcome(a.smin, a.smax, b.smin, b.smax);
    case Sgt: return less_outcome(b.smin, b.smax, a.smin, a.smax);
    case Sge: return opposite(less_outcome(a.smin, a.smax, b.smin, b.smax));
    case Sle: return opposite(less_outcome(b.smin, b.smax, a.smin, a.smax));
    case Eq:
    case Ne:
    case Set: break;
  }
  return Outcome::Unknown;
}

template <unsigned Width>
constexpr void exclude(Bounds<Width>& bounds, std::uint64_t x) noexcept {
  if (bounds.umin == bounds.reduced(x)) ++bounds.umin;
  if (bounds.umax == bounds.reduced(x)) --bounds.umax;
  if (bounds.smin == bounds.extended(x)) ++bounds.smin;
  if (bounds.smax == bounds.extended(x)) --bounds.smax;
}

template <unsigned Width>
constexpr void equate(Bounds<Width>& a, Bounds<Width>& b) noexcept {
  a.limit_signed(b.smin, b.smax);
  a.limit_unsigned(b.umin, b.umax);
  b = a;
}

template <unsigned Width>
constexpr void order(Fact fact, Bounds<Width>& a, Bounds<Width>& b) noexcept {
  using Unsigned = typename Bounds<Width>::Unsigned;
  using Signed = typename Bounds<Width>::Signed;
  switch (fact) {
    case Fact::LessOrEqual:
      a.umax = std::min(a.umax, b.umax);
      b.umin = std::max(a.umin, b.umin);
      break;
    case Fact::Less:
      a.umax = std::min<Unsigned>(a.umax, b.umax - 1);
      b.umin = std::max<Unsigned>(a.umin + 1, b.umin);
      break;
    case Fact::SignedLessOrEqual:
      a.smax = std::min(a.smax, b.smax);
      b.smin = std::max(a.smin, b.smin);
      break;
    case Fact::SignedLess:
      a.smax = std::min<Signed>(a.smax, static_cast<Signed>(b.smax - 1));
      b.smin = std::max<Signed>(static_cast<Signed>(a.smin + 1), b.smin);
      break;
    case Fact::Equal:
    case Fact::Unequal:
    case Fact::Set:
    case Fact::Clear: break;
  }
}

// Bits known of one operand when the other is the constant x.
template <unsigned Bits>
constexpr void learn_bits(Fact fact, Part part, Scalar<Bits>& a, std::uint64_t x) noexcept {
  using T = Tnum<Bits>;
  if (fact == Fact::Set && !std::has_single_bit(x)) return;  // which of the bits it is, nobody knows
  const auto narrowed = [&](const T& bits) {
    return fact == Fact::Set ? bits | T::constant(x) : bits & T::constant(~x);
  };
  if (part == Part::Full)
    a.bits = narrowed(a.bits);
  else
    a.set_half_bits(narrowed(a.half_bits()).low(Bits / 2));
}

template <unsigned Bits>
constexpr void learn_equality(Part part, Scalar<Bits>& a, Scalar<Bits>& b) noexcept {
  using T = Tnum<Bits>;
  if (part == Part::Full) {
    equate(a.full, b.full);
    a.bits = b.bits = T::intersection(a.bits, b.bits);
  } else {
    equate(a.half, b.half);
    const T low = T::intersection(a.half_bits(), b.half_bits());
    a.set_half_bits(low);
    b.set_half_bits(low);
  }
}

template <unsigned Bits>
constexpr void learn(Fact fact, Part part, Scalar<Bits>& a, Scalar<Bits>& b, Rules rules) noexcept {
  switch (fact) {
    case Fact::Equal: return learn_equality(part, a, b);
    case Fact::Unequal:
    case Fact::Set:
    case Fact::Clear: {
      Scalar<Bits>& constant = b.is_constant(part) ? b : a;
      Scalar<Bits>& other = b.is_constant(part) ? a : b;
      if (!constant.is_constant(part)) return;
      const std::uint64_t x = constant.value(part);
      // 6.18 starts anew from the bits, so that a dead branch cannot contradict itself.
      if (fact == Fact::Clear && rules != Rules::Linux612) other.forget_bounds();
      if (fact != Fact::Unequal) return learn_bits(fact, part, other, x);
      return part == Part::Full ? exclude(other.full, x) : exclude(other.half, x);
    }
    default: return part == Part::Full ? order(fact, a.full, b.full) : order(fact, a.half, b.half);
  }
}

}  // namespace detail

template <unsigned Bits>
constexpr Outcome outcome(isa::JumpOp op, Part part, const Scalar<Bits>& a, const Scalar<Bits>& b,
                          Rules rules) noexcept {
  using enum isa::JumpOp;
  if (op == Eq) return detail::equal_outcome(part, a, b, rules);
  if (op == Ne) return opposite(detail::equal_outcome(part, a, b, rules));
  if (op == Set) return detail::set_outcome(part, a, b);
  return part == Part::Full ? detail::order_outcome(op, a.full, b.full) : detail::order_outcome(op, a.half, b.half);
}

// Both operands where `op` of (a, b) came out as `side` says. The outcome must be Unknown.
template <unsigned Bits>
constexpr void refine(isa::JumpOp op, Part part, Side side, Scalar<Bits>& a, Scalar<Bits>& b, Rules rules) noexcept {
  const detail::Learned what = detail::learned(op, side);
  if (what.exchanged)
    detail::learn(what.fact, part, b, a, rules);
  else
    detail::learn(what.fact, part, a, b, rules);
  a.sync(rules);
  b.sync(rules);
}

}  // namespace skep::verifier
