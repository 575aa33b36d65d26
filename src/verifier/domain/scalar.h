// What is known of a number in a register: its bits, its range, and the range of its lower half.
//
// A Scalar<Bits> stands for the numbers that are in the tnum and in the full bounds, and whose lower half is in the
// half bounds. The verifier uses Scalar<64>, whose half is a 32-bit subregister; smaller ones serve tests. The three
// parts know different things, and sync() lets each learn from the others, in the rounds and the order Linux does it:
// the ranges it prints, and with them which programs are accepted, depend on them. No claim of optimality is
// made: two rounds do not always reach a fixed point.
//
// A scalar may become impossible (its set empty, its parts contradicting each other) on a branch that cannot be taken;
// contradiction() tells what Linux would complain about. Cost: sync is some 60 instructions. Source:
// Documentation/bpf/verifier.rst. Tested by: verifier/domain/scalar_test.cc (all scalars of small widths),
// verifier/domain/kernel_test.cc (against the running kernel's log).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "verifier/domain/bounds.h"
#include "verifier/domain/rules.h"
#include "verifier/domain/tnum.h"

namespace skep::verifier {

// Which part of a register an instruction works on.
enum class Part : std::uint8_t { Half, Full };

template <unsigned Bits>
struct Scalar {
  static constexpr unsigned kHalfBits = Bits / 2;
  using Full = Bounds<Bits>;
  using Half = Bounds<kHalfBits>;
  using FullTnum = Tnum<Bits>;
  static constexpr std::uint64_t kHalfMask = Half::kUmax;

  FullTnum bits = FullTnum::unknown();
  Full full;
  Half half;

  static constexpr int kRounds = 3;  // of deduction, as Linux has it

  static constexpr Scalar unknown() noexcept { return {}; }
  static constexpr Scalar constant(std::uint64_t x) noexcept {
    return {FullTnum::constant(x), Full::constant(x), Half::constant(x)};
  }

  constexpr bool is_constant() const noexcept { return bits.is_constant(); }
  constexpr bool is_constant(Part part) const noexcept {
    return part == Part::Full ? is_constant() : half_bits().is_constant();
  }
  // Of a constant part.
  constexpr std::uint64_t value(Part part = Part::Full) const noexcept {
    return part == Part::Full ? bits.value : half_bits().value;
  }
  constexpr bool has(std::uint64_t x) const noexcept { return bits.has(x) && full.has(x) && half.has(x); }
  constexpr FullTnum half_bits() const noexcept { return bits.low(kHalfBits); }
  constexpr void set_half_bits(const FullTnum& low) noexcept { bits = bits.without_low(kHalfBits) | low; }

  friend constexpr bool operator==(const Scalar&, const Scalar&) = default;

  // Lets every part learn from the others.
  constexpr void sync(Rules rules) noexcept {
    if (is_settled()) return;
    bounds_from_bits(rules);
    if (is_settled()) return;
    for (int round = 0; round < kRounds; ++round) {
      const Scalar before = *this;
      deduce();
      if (*this == before) break;  // nor would the next change anything
    }
    bits_from_bounds();
    bounds_from_bits(rules);
  }

  constexpr void bounds_from_bits(Rules rules) noexcept {
    full.limit_signed(static_cast<typename Full::Signed>(bits.smin()), static_cast<typename Full::Signed>(bits.smax()));
    full.limit_unsigned(static_cast<typename Full::Unsigned>(bits.umin()),
                        static_cast<typename Full::Unsigned>(bits.umax()));
    half_bounds_from_bits();
    if (rules != Rules::Linux612) settle_single_value();
  }
  constexpr void half_bounds_from_bits() noexcept {
    const Tnum<kHalfBits> low{bits.value & kHalfMask, bits.mask & kHalfMask};
    half.limit_signed(static_cast<typename Half::Signed>(low.smin()), static_cast<typename Half::Signed>(low.smax()));
    half.limit_unsigned(static_cast<typename Half::Unsigned>(low.umin()),
                        static_cast<typename Half::Unsigned>(low.umax()));
  }
  constexpr void bits_from_bounds() noexcept {
    bits = FullTnum::intersection(bits, FullTnum::range(full.umin, full.umax));
    set_half_bits(FullTnum::intersection(half_bits(), FullTnum::range(half.umin, half.umax)));
  }

  // The upper half becomes zero.
  constexpr void extend_half() noexcept {
    bits = half_bits();
    full.umin = half.umin;
    full.umax = half.umax;
    if (half.smin >= 0)
      full.smin = half.smin, full.smax = half.smax;
    else
      full.smin = 0, full.smax = static_cast<typename Full::Signed>(kHalfMask);
  }

  // What is inconsistent about the parts, in Linux's words; nothing if they agree as far as Linux looks.
  constexpr std::optional<std::string_view> contradiction() const noexcept {
    if (!full.well_formed() || !half.well_formed()) return "range bounds violation";
    if (is_constant() && !full.is(bits.value)) return "const tnum out of sync with range bounds";
    if (is_constant(Part::Half) && !half.is(bits.value)) return "const subreg tnum out of sync with range bounds";
    return std::nullopt;
  }
  // How Linux goes on after a contradiction: all ranges are given up.
  constexpr void forget_bounds() noexcept { full = {}, half = {}; }

 private:
  // 6.18: where the range holds one value that the bits allow, it is that.
  constexpr void settle_single_value() noexcept {
    if (is_constant()) return;
    const auto first = bits.at_least(full.umin);
    if (!first || *first > full.umax) return;
    const auto second = *first == bits.umax() ? std::nullopt : bits.at_least(*first + 1);
    if (!second || *second > full.umax) *this = constant(*first);
  }

  // Nothing can be learnt any more: a constant, or anything at all.
  constexpr bool is_settled() const noexcept {
    return is_constant() ? full.is(bits.value) && half.is(bits.value)
                         : bits.is_unknown() && full == Full{} && half == Half{};
  }

  constexpr void deduce() noexcept {
    half_from_full();
    half.combine_readings();
    half.drop_impossible_arc();
    full.combine_readings();
    full.drop_impossible_arc();
    full_from_half();
  }

  static constexpr std::uint64_t upper(std::uint64_t x) noexcept { return isa::zext<Bits>(x) >> kHalfBits; }

  // The half's range from a range of the whole that has one upper half, or two neighbouring ones.
  constexpr void half_from_range(std::uint64_t min, std::uint64_t max) noexcept {
    const auto low_min = Half::reduced(min), low_max = Half::reduced(max);
    const auto signed_min = Half::extended(min), signed_max = Half::extended(max);
    if (upper(min) != upper(max)) return;
    if (low_min <= low_max) half.limit_unsigned(low_min, low_max);
    if (signed_min <= signed_max) half.limit_signed(signed_min, signed_max);
  }
  constexpr void half_from_neighbours(std::uint64_t min, std::uint64_t max) noexcept {
    const auto signed_min = Half::extended(min), signed_max = Half::extended(max);
    if (((upper(min) + 1) & kHalfMask) == upper(max) && signed_min < 0 && signed_max >= 0)
      half.limit_signed(signed_min, signed_max);
  }
  constexpr void half_from_full() noexcept {
    const auto smin = static_cast<std::uint64_t>(full.smin), smax = static_cast<std::uint64_t>(full.smax);
    half_from_range(full.umin, full.umax);
    half_from_range(smin, smax);
    half_from_neighbours(full.umin, full.umax);
    half_from_neighbours(smin, smax);
  }

  // The whole's ends, sharpened by which lower halves are possible.
  constexpr void full_from_half() noexcept {
    const auto replaced = [](auto x, auto low) {
      return static_cast<decltype(x)>((x & ~static_cast<decltype(x)>(kHalfMask)) | static_cast<decltype(x)>(low));
    };
    full.limit_unsigned(replaced(full.umin, half.umin), replaced(full.umax, half.umax));
    full.limit_signed(replaced(full.smin, half.umin), replaced(full.smax, half.umax));
    // The whole is the sign extension of its half, and the half is not negative.
    if (half.smin >= 0 && full.smin >= Half::kSmin && full.smax <= Half::kSmax) {
      full.smin = half.smin, full.smax = half.smax;
      full.umin = static_cast<typename Full::Unsigned>(half.smin);
      full.umax = static_cast<typename Full::Unsigned>(half.smax);
      bits = FullTnum::intersection(bits, FullTnum::range(full.umin, full.umax));
    }
  }
};

}  // namespace skep::verifier
