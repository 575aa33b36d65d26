// Ranges of a value of Bits bits, read as a signed and as an unsigned number.
//
// Bounds<Bits> stands for { x : umin <= x <= umax and smin <= sext(x) <= smax }. The two ranges are kept apart because
// neither can say what the other does when a range crosses the sign or wraps. Bounds may be empty: an impossible branch
// leaves such; well_formed() says. All operations are those of Linux and lose what it loses: overflow gives up a range
// whole. Each is sound on non-empty bounds; what they claim beyond soundness is said at each.
// Source: Documentation/bpf/verifier.rst. Cost: a few instructions. Tested by: verifier/domain/scalar_test.cc.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "isa/eval.h"
#include "verifier/domain/rules.h"

namespace skep::verifier {

template <unsigned Bits>
struct Bounds {
  using Unsigned = std::conditional_t<(Bits > 32), std::uint64_t, std::uint32_t>;
  using Signed = std::make_signed_t<Unsigned>;

  static constexpr Unsigned kUmax = static_cast<Unsigned>(~std::uint64_t{0} >> (64 - Bits));
  static constexpr Signed kSmax = static_cast<Signed>(kUmax >> 1);
  static constexpr Signed kSmin = static_cast<Signed>(-kSmax - 1);

  Signed smin = kSmin;
  Signed smax = kSmax;
  Unsigned umin = 0;
  Unsigned umax = kUmax;

  static constexpr Unsigned reduced(std::uint64_t x) noexcept { return static_cast<Unsigned>(isa::zext<Bits>(x)); }
  static constexpr Signed extended(std::uint64_t x) noexcept { return static_cast<Signed>(isa::sext<Bits>(x)); }
  static constexpr Unsigned reduced(Signed x) noexcept { return reduced(static_cast<std::uint64_t>(x)); }
  static constexpr Signed extended(Signed x) noexcept { return extended(static_cast<std::uint64_t>(x)); }

  static constexpr Bounds constant(std::uint64_t x) noexcept {
    return {extended(x), extended(x), reduced(x), reduced(x)};
  }

  constexpr bool well_formed() const noexcept { return smin <= smax && umin <= umax; }
  constexpr bool is_constant() const noexcept { return smin == smax && umin == umax; }
  constexpr bool is(std::uint64_t x) const noexcept { return *this == constant(x); }
  constexpr bool has(std::uint64_t x) const noexcept {
    return umin <= reduced(x) && reduced(x) <= umax && smin <= extended(x) && extended(x) <= smax;
  }
  constexpr bool contains(const Bounds& other) const noexcept {
    return umin <= other.umin && other.umax <= umax && smin <= other.smin && other.smax <= smax;
  }

  friend constexpr bool operator==(const Bounds&, const Bounds&) = default;

  constexpr void forget_signed() noexcept { smin = kSmin, smax = kSmax; }
  constexpr void forget_unsigned() noexcept { umin = 0, umax = kUmax; }
  constexpr void limit_signed(Signed min, Signed max) noexcept {
    smin = std::max(smin, min), smax = std::min(smax, max);
  }
  constexpr void limit_unsigned(Unsigned min, Unsigned max) noexcept {
    umin = std::max(umin, min), umax = std::min(umax, max);
  }

  // The signed range an unsigned range amounts to, where it does not cross the sign; else no knowledge.
  constexpr void signed_from_unsigned() noexcept {
    if (extended(std::uint64_t{umin}) <= extended(std::uint64_t{umax}))
      smin = extended(std::uint64_t{umin}), smax = extended(std::uint64_t{umax});
    else
      forget_signed();
  }

  // Each range learns from the other where the numbers it holds mean the same in both readings.
  constexpr void combine_readings() noexcept {
    if (extended(std::uint64_t{umin}) <= extended(std::uint64_t{umax}))
      limit_signed(extended(std::uint64_t{umin}), extended(std::uint64_t{umax}));
    if (reduced(smin) <= reduced(smax)) limit_unsigned(reduced(smin), reduced(smax));
  }

  // A signed range that crosses the sign is two arcs of the unsigned circle: if only one meets the unsigned range,
  // the other is impossible.
  constexpr void drop_impossible_arc() noexcept {
    if (reduced(smin) <= reduced(smax)) return;
    if (umax < reduced(smin)) {
      smin = extended(std::uint64_t{umin});
      umax = std::min(umax, reduced(smax));
    } else if (reduced(smax) < umin) {
      smax = extended(std::uint64_t{umax});
      umin = std::max(umin, reduced(smin));
    }
  }

  constexpr void add(const Bounds& by, Rules rules) noexcept {
    const bool low_wraps = add_signed(smin, by.smin, smin), high_wraps = add_signed(smax, by.smax, smax);
    if (low_wraps || high_wraps) forget_signed();
    const bool min_wraps = add_unsigned(umin, by.umin), max_wraps = add_unsigned(umax, by.umax);
    // 6.18: when all sums wrap the range stays one.
    if (rules == Rules::Linux612 ? min_wraps || max_wraps : min_wraps != max_wraps) forget_unsigned();
  }

  constexpr void subtract(const Bounds& by, Rules rules) noexcept {
    const bool low_wraps = subtract_signed(smin, by.smax, smin), high_wraps = subtract_signed(smax, by.smin, smax);
    if (low_wraps || high_wraps) forget_signed();
    const bool min_wraps = umin < by.umax, max_wraps = umax < by.umin;
    umin = reduced(std::uint64_t{umin} - by.umax);
    umax = reduced(std::uint64_t{umax} - by.umin);
    if (rules == Rules::Linux612 ? min_wraps : min_wraps != max_wraps) forget_unsigned();
  }

  constexpr void multiply(const Bounds& by, Rules rules) noexcept {
    if (rules == Rules::Linux612)
      multiply_small(by);
    else
      multiply_corners(by);
  }

 private:
  // Exact arithmetic: whether the result left the width; `to` holds it, wrapped in its type.
  static constexpr bool in_range(Signed x) noexcept { return x >= kSmin && x <= kSmax; }
  static constexpr bool add_signed(Signed a, Signed b, Signed& to) noexcept {
    return __builtin_add_overflow(a, b, &to) || !in_range(to);
  }
  static constexpr bool subtract_signed(Signed a, Signed b, Signed& to) noexcept {
    return __builtin_sub_overflow(a, b, &to) || !in_range(to);
  }
  static constexpr bool multiply_signed(Signed a, Signed b, Signed& to) noexcept {
    return __builtin_mul_overflow(a, b, &to) || !in_range(to);
  }
  static constexpr bool add_unsigned(Unsigned& a, Unsigned b) noexcept {
    const bool wraps = __builtin_add_overflow(a, b, &a) || a > kUmax;
    a &= kUmax;
    return wraps;
  }
  static constexpr bool multiply_unsigned(Unsigned& a, Unsigned b) noexcept {
    return __builtin_mul_overflow(a, b, &a) || a > kUmax;
  }

  // 6.12: only where both factors are non-negative and fit half the bits.
  constexpr void multiply_small(const Bounds& by) noexcept {
    constexpr Unsigned half = kUmax >> ((Bits + 1) / 2);
    if (by.smin < 0 || smin < 0 || by.umax > half || umax > half) {
      *this = Bounds{};
      return;
    }
    umin *= by.umin;
    umax *= by.umax;
    if (umax > static_cast<Unsigned>(kSmax))
      forget_signed();
    else
      smin = static_cast<Signed>(umin), smax = static_cast<Signed>(umax);
  }
  // 6.18: the extremes are among the products of the ends, if none overflows.
  constexpr void multiply_corners(const Bounds& by) noexcept {
    const bool max_wraps = multiply_unsigned(umax, by.umax), min_wraps = multiply_unsigned(umin, by.umin);
    if (max_wraps || min_wraps) forget_unsigned();
    std::array<Signed, 4> corners{};
    if (multiply_signed(smin, by.smin, corners[0]) || multiply_signed(smin, by.smax, corners[1]) ||
        multiply_signed(smax, by.smin, corners[2]) || multiply_signed(smax, by.smax, corners[3]))
      return forget_signed();
    std::ranges::sort(corners);
    smin = corners.front(), smax = corners.back();
  }
};

}  // namespace skep::verifier
