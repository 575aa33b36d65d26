#include "verifier/domain/print.h"

#include <fmt/format.h>

#include <array>
#include <iterator>
#include <limits>
#include <string_view>

namespace skep::verifier {
namespace {

constexpr std::uint64_t kMostDecimal = std::numeric_limits<std::uint16_t>::max();

constexpr bool is_decimal(std::int64_t x) noexcept {
  return x >= std::numeric_limits<std::int16_t>::min() && x <= std::numeric_limits<std::int16_t>::max();
}

struct Bound {
  std::string_view name;
  std::uint64_t value;
  bool omitted;

  bool is_signed() const noexcept { return name.front() == 's'; }
  bool is_negative() const noexcept { return is_signed() && static_cast<std::int64_t>(value) < 0; }
  bool merges_with(const Bound& other) const noexcept {
    return !omitted && value == other.value && is_negative() == other.is_negative();
  }
};

// A 32-bit signed bound is sign-extended where it will be printed in decimal; in hexadecimal that would mislead.
std::uint64_t widened(std::int32_t x) noexcept {
  return is_decimal(x) ? static_cast<std::uint64_t>(std::int64_t{x}) : static_cast<std::uint32_t>(x);
}

std::array<Bound, 8> bounds_of(const Scalar64& s) {
  using Full = Scalar64::Full;
  using Half = Scalar64::Half;
  return {{{"smin", static_cast<std::uint64_t>(s.full.smin), s.full.smin == Full::kSmin},
           {"smax", static_cast<std::uint64_t>(s.full.smax), s.full.smax == Full::kSmax},
           {"umin", s.full.umin, s.full.umin == 0},
           {"umax", s.full.umax, s.full.umax == Full::kUmax},
           {"smin32", widened(s.half.smin), s.half.smin == Half::kSmin},
           {"smax32", widened(s.half.smax), s.half.smax == Half::kSmax},
           {"umin32", s.half.umin, s.half.umin == 0},
           {"umax32", s.half.umax, s.half.umax == Half::kUmax}}};
}

}  // namespace

void append_signed(std::string& out, std::int64_t x) {
  if (is_decimal(x))
    fmt::format_to(std::back_inserter(out), "{}", x);
  else
    fmt::format_to(std::back_inserter(out), "{:#x}", static_cast<std::uint64_t>(x));
}

void append_unsigned(std::string& out, std::uint64_t x) {
  if (x <= kMostDecimal)
    fmt::format_to(std::back_inserter(out), "{}", x);
  else
    fmt::format_to(std::back_inserter(out), "{:#x}", x);
}

void append(std::string& out, const Tnum64& bits) {
  if (bits.is_constant()) return append_unsigned(out, bits.value);
  fmt::format_to(std::back_inserter(out), "({:#x}; {:#x})", bits.value, bits.mask);
}

void append_knowledge(std::string& out, const Scalar64& scalar, const char*& separator) {
  auto bounds = bounds_of(scalar);
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    const Bound& bound = bounds[i];
    if (bound.omitted) continue;
    fmt::format_to(std::back_inserter(out), "{}{}=", separator, bound.name);
    separator = ",";
    for (std::size_t j = i + 2; j < bounds.size(); j += 2) {  // minima with minima, maxima with maxima
      if (!bounds[j].merges_with(bound)) continue;
      bounds[j].omitted = true;
      fmt::format_to(std::back_inserter(out), "{}=", bounds[j].name);
    }
    if (bound.is_signed())
      append_signed(out, static_cast<std::int64_t>(bound.value));
    else
      append_unsigned(out, bound.value);
  }
  if (scalar.bits.is_unknown()) return;
  fmt::format_to(std::back_inserter(out), "{}var_off=", separator);
  separator = ",";
  append(out, scalar.bits);
}

std::string to_text(const Scalar64& scalar) {
  std::string out;
  if (scalar.is_constant()) {
    append_signed(out, static_cast<std::int64_t>(scalar.value()));
    return out;
  }
  out = "scalar(";
  const char* separator = "";
  append_knowledge(out, scalar, separator);
  return out += ")";
}

}  // namespace skep::verifier
