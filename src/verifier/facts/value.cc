#include "verifier/facts/value.h"

#include <algorithm>
#include <bit>

namespace skep::verifier {
namespace {

using Is = Value::Is;

template <unsigned Width>
Bounds<Width> join(const Bounds<Width>& a, const Bounds<Width>& b) noexcept {
  return {std::min(a.smin, b.smin), std::max(a.smax, b.smax), std::min(a.umin, b.umin), std::max(a.umax, b.umax)};
}

template <unsigned Width>
void widen(const Bounds<Width>& old, Bounds<Width>& grown) noexcept {
  using B = Bounds<Width>;
  if (grown.smin < old.smin) grown.smin = grown.smin >= 0 ? 0 : B::kSmin;
  if (grown.smax > old.smax) grown.smax = B::kSmax;
  if (grown.umin < old.umin) grown.umin = 0;
  if (grown.umax > old.umax) grown.umax = grown.umax <= static_cast<B::Unsigned>(B::kSmax) ? B::kSmax : B::kUmax;
}

// Bits above the lowest one that became unknown are given up: an addend's alignment stays.
void widen(const Tnum<64>& old, Tnum<64>& grown) noexcept {
  const std::uint64_t lost = grown.mask & ~old.mask;
  if (lost == 0) return;
  grown.mask |= ~std::uint64_t{0} << std::countr_zero(lost);
  grown.value &= ~grown.mask;
}

// The kind that has both; Any if there is none better.
Is common_kind(const Value& a, const Value& b) noexcept {
  if (a.is == b.is && a.map == b.map) return a.is;
  const auto value_or_null = [](const Value& v) {
    return v.is == Is::MapValue || v.is == Is::MapValueOrNull || v.is_null();
  };
  if (!value_or_null(a) || !value_or_null(b)) return Is::Any;
  return a.is_null() || b.is_null() || a.map == b.map ? Is::MapValueOrNull : Is::Any;
}

}  // namespace

Number join(const Number& a, const Number& b) noexcept {
  return {Tnum<64>::join(a.bits, b.bits), join(a.full, b.full), join(a.half, b.half)};
}

Value join(const Value& a, const Value& b) noexcept {
  if (a.is == Is::Unset || b.is == Is::Unset) return {.is = Is::Unset};
  const Is is = common_kind(a, b);
  if (is == Is::Any)
    return {.is = Is::Any, .number = a.is_plain() && b.is_plain() ? join(a.number, b.number) : Number{}};
  if (is == Is::MapValueOrNull && (a.is_null() || b.is_null())) {
    const Value& pointer = a.is_null() ? b : a;
    return {is, pointer.map, pointer.number};
  }
  return {is, a.map, join(a.number, b.number)};
}

Value widened(const Value& old, const Value& grown) noexcept {
  Value result = grown;
  if (old.is != grown.is) return result;
  widen(old.number.full, result.number.full);
  widen(old.number.half, result.number.half);
  widen(old.number.bits, result.number.bits);
  return result;
}

}  // namespace skep::verifier
