#include "helpers/number.h"

#include <algorithm>
#include <cerrno>
#include <string_view>

namespace skep::helpers {

namespace {

constexpr std::uint64_t kBaseMask = 0x1f;
constexpr std::size_t kLongest = 63;  // characters looked at, from the first digit on

bool is_blank(char c) noexcept { return c == ' ' || (c >= '\t' && c <= '\r'); }

unsigned digit(char c) noexcept {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'z') return static_cast<unsigned>(c - 'a') + 10;
  if (c >= 'A' && c <= 'Z') return static_cast<unsigned>(c - 'A') + 10;
  return ~0U;
}

bool has_hex_prefix(std::string_view text) noexcept {
  return text.size() >= 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
}

unsigned guess_base(std::string_view text) noexcept {
  if (text.empty() || text[0] != '0') return 10;
  return has_hex_prefix(text) && text.size() >= 3 && digit(text[2]) < 16 ? 16 : 8;
}

struct Parsed {
  std::int64_t length = 0;  // or a negative errno
  bool negative = false;
  std::uint64_t magnitude = 0;
};

Parsed parse_digits(std::string_view text, unsigned base, Parsed parsed) noexcept {
  std::size_t used = 0;
  for (; used < text.size() && digit(text[used]) < base; ++used) {
    const bool overflow = __builtin_mul_overflow(parsed.magnitude, base, &parsed.magnitude) ||
                          __builtin_add_overflow(parsed.magnitude, digit(text[used]), &parsed.magnitude);
    if (overflow) return {.length = -ERANGE};
  }
  if (used == 0) return {.length = -EINVAL};
  parsed.length += static_cast<std::int64_t>(used);
  return parsed;
}

Parsed parse(Bytes bytes, std::uint64_t flags) noexcept {
  const auto base = static_cast<unsigned>(flags & kBaseMask);
  if (bytes.empty() || (flags & ~kBaseMask) != 0) return {.length = -EINVAL};
  if (base != 0 && base != 8 && base != 10 && base != 16) return {.length = -EINVAL};
  const std::string_view whole(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  std::string_view text = whole;
  while (!text.empty() && is_blank(text[0])) text.remove_prefix(1);
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  if (text.empty()) return {.length = -EINVAL};
  text = text.substr(0, std::min(text.size(), kLongest));
  const unsigned real_base = base != 0 ? base : guess_base(text);
  if (real_base == 16 && has_hex_prefix(text)) text.remove_prefix(2);
  return parse_digits(text, real_base, {.length = text.data() - whole.data(), .negative = negative, .magnitude = 0});
}

}  // namespace

std::int64_t read_signed(Bytes text, std::uint64_t flags, std::int64_t& value) noexcept {
  value = 0;
  const Parsed parsed = parse(text, flags);
  if (parsed.length < 0) return parsed.length;
  constexpr std::uint64_t kMost = std::uint64_t{1} << 63;
  if (parsed.magnitude > kMost - (parsed.negative ? 0 : 1)) return -ERANGE;
  value = static_cast<std::int64_t>(parsed.negative ? 0 - parsed.magnitude : parsed.magnitude);
  return parsed.length;
}

std::int64_t read_unsigned(Bytes text, std::uint64_t flags, std::uint64_t& value) noexcept {
  value = 0;
  const Parsed parsed = parse(text, flags);
  if (parsed.length < 0) return parsed.length;
  if (parsed.negative) return -EINVAL;
  value = parsed.magnitude;
  return parsed.length;
}

}  // namespace skep::helpers
