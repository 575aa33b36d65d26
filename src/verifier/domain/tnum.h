// Tristate numbers: what is known of each bit of a value.
//
// A Tnum<Bits> stands for the set { x : (x & ~mask) == value }: a bit set in mask is unknown, any other is as in value.
// Invariant: value & mask == 0 and both are below 2^Bits. The set is never empty. 64 bits is what the verifier uses;
// smaller widths serve exhaustive tests.
//
// Each operation is sound: for x in a and y in b, op(x, y) is in op(a, b). Addition, subtraction and the bitwise
// operations are optimal too: no smaller tnum would be sound. Multiplication is not, and releases differ in it, so both
// ways are here. Source: Vishwanathan et al., "Sound, Precise, and Fast Abstract Interpretation with Tristate Numbers"
// (CGO 2022). Cost: a few instructions; multiplication one step a bit. Tested by: verifier/domain/tnum_test.cc.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>

#include "isa/eval.h"
#include "verifier/domain/rules.h"

namespace skep::verifier {

template <unsigned Bits>
struct Tnum {
  static constexpr std::uint64_t kAll = ~std::uint64_t{0} >> (64 - Bits);

  std::uint64_t value = 0;
  std::uint64_t mask = 0;

  static constexpr Tnum constant(std::uint64_t x) noexcept { return {x & kAll, 0}; }
  static constexpr Tnum unknown() noexcept { return {0, kAll}; }
  // The smallest tnum that has all of [min, max].
  static constexpr Tnum range(std::uint64_t min, std::uint64_t max) noexcept {
    const auto differing = static_cast<unsigned>(std::bit_width(min ^ max));
    if (differing >= Bits) return unknown();
    const std::uint64_t low = (std::uint64_t{1} << differing) - 1;
    return {min & ~low, low};
  }

  constexpr bool is_constant() const noexcept { return mask == 0; }
  constexpr bool is_unknown() const noexcept { return mask == kAll; }
  constexpr bool has(std::uint64_t x) const noexcept { return (x & ~mask & kAll) == value; }
  // Whether every value of `other` is one of ours.
  constexpr bool contains(const Tnum& other) const noexcept {
    return (other.mask & ~mask) == 0 && (other.value & ~mask) == value;
  }
  constexpr bool overlaps(const Tnum& other) const noexcept {
    const std::uint64_t known = ~(mask | other.mask);
    return (value & known) == (other.value & known);
  }
  // Whether all values are multiples of `size`, a power of two; 0 asks nothing.
  constexpr bool is_aligned(std::uint64_t size) const noexcept {
    return size == 0 || ((value | mask) & (size - 1)) == 0;
  }

  // The smallest member that is not below x; nothing if all are.
  constexpr std::optional<std::uint64_t> at_least(std::uint64_t x) const noexcept {
    const std::uint64_t wrong = (x ^ value) & ~mask;
    if (wrong == 0) return x;
    const auto width = static_cast<unsigned>(std::bit_width(wrong));
    const std::uint64_t above = width == 64 ? 0 : ~std::uint64_t{0} << width;
    if (value >> (width - 1) & 1) return (x & mask & above) | value;  // the known bit is larger than x's
    const std::uint64_t grown = (x | ~mask | ~above) + 1;             // carries over known bits
    if (grown == 0) return std::nullopt;
    return (grown & mask & above) | value;
  }

  constexpr std::uint64_t umin() const noexcept { return value; }
  constexpr std::uint64_t umax() const noexcept { return value | mask; }
  constexpr std::int64_t smin() const noexcept { return isa::sext<Bits>(value | (mask & kSign)); }
  constexpr std::int64_t smax() const noexcept { return isa::sext<Bits>(value | (mask & (kAll >> 1))); }

  constexpr Tnum shifted_left(unsigned by) const noexcept { return {value << by & kAll, mask << by & kAll}; }
  constexpr Tnum shifted_right(unsigned by) const noexcept { return {value >> by, mask >> by}; }
  // Signed shift: an unknown sign bit spreads as unknown.
  constexpr Tnum shifted_right_signed(unsigned by) const noexcept {
    return {static_cast<std::uint64_t>(isa::sext<Bits>(value) >> by) & kAll,
            static_cast<std::uint64_t>(isa::sext<Bits>(mask) >> by) & kAll};
  }
  // The low `bits` bits, the rest zero.
  constexpr Tnum low(unsigned bits) const noexcept {
    const std::uint64_t keep = bits >= Bits ? kAll : (std::uint64_t{1} << bits) - 1;
    return {value & keep, mask & keep};
  }
  // All but the low `bits` bits, those zero.
  constexpr Tnum without_low(unsigned bits) const noexcept {
    const Tnum gone = low(bits);
    return {value ^ gone.value, mask ^ gone.mask};
  }

  friend constexpr bool operator==(const Tnum&, const Tnum&) = default;

  friend constexpr Tnum operator+(const Tnum& a, const Tnum& b) noexcept {
    const std::uint64_t least = a.value + b.value;
    const std::uint64_t carries = (least + a.mask + b.mask) ^ least;
    return of(least, carries | a.mask | b.mask);
  }
  friend constexpr Tnum operator-(const Tnum& a, const Tnum& b) noexcept {
    const std::uint64_t difference = a.value - b.value;
    const std::uint64_t borrows = (difference + a.mask) ^ (difference - b.mask);
    return of(difference, borrows | a.mask | b.mask);
  }
  friend constexpr Tnum operator&(const Tnum& a, const Tnum& b) noexcept {
    const std::uint64_t ones = a.value & b.value;
    return {ones, a.umax() & b.umax() & ~ones};
  }
  friend constexpr Tnum operator|(const Tnum& a, const Tnum& b) noexcept {
    const std::uint64_t ones = a.value | b.value;
    return {ones, (a.mask | b.mask) & ~ones};
  }
  friend constexpr Tnum operator^(const Tnum& a, const Tnum& b) noexcept {
    return of(a.value ^ b.value, a.mask | b.mask);
  }

  // The smallest tnum with the values that are in both; meaningful only when there is one.
  static constexpr Tnum intersection(const Tnum& a, const Tnum& b) noexcept {
    return of(a.value | b.value, a.mask & b.mask);
  }
  // The smallest tnum with the values of either.
  static constexpr Tnum join(const Tnum& a, const Tnum& b) noexcept {
    return of(a.value, a.mask | b.mask | (a.value ^ b.value));
  }

  static constexpr Tnum product(Tnum a, Tnum b, Rules rules) noexcept {
    return rules == Rules::Linux612 ? product_of_masks(a, b) : product_by_cases(a, b);
  }

 private:
  static constexpr std::uint64_t kSign = std::uint64_t{1} << (Bits - 1);

  static constexpr Tnum of(std::uint64_t value, std::uint64_t mask) noexcept {
    return {value & ~mask & kAll, mask & kAll};
  }
  // 6.12: the product of the known parts, plus what the unknown bits of either may add.
  static constexpr Tnum product_of_masks(Tnum a, Tnum b) noexcept {
    const Tnum known = constant(a.value * b.value);
    Tnum unsure{};
    for (; a.umax(); a = a.shifted_right(1), b = b.shifted_left(1)) {
      if (a.value & 1)
        unsure = unsure + Tnum{0, b.mask};
      else if (a.mask & 1)
        unsure = unsure + Tnum{0, b.umax()};
    }
    return known + unsure;
  }
  // 6.18: long multiplication, an unknown bit of `a` joining the two outcomes.
  static constexpr Tnum product_by_cases(Tnum a, Tnum b) noexcept {
    Tnum sum{};
    for (; a.umax(); a = a.shifted_right(1), b = b.shifted_left(1)) {
      if (a.value & 1)
        sum = sum + b;
      else if (a.mask & 1)
        sum = join(sum, sum + b);
    }
    return sum;
  }
};

}  // namespace skep::verifier
