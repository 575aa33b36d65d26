// Characters as Linux sees them in names: Latin-1's, whatever the locale (lib/ctype.c).
#pragma once

namespace skep {

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
// Beyond ASCII these are 0xc0 to 0xff, but the signs for times and divided by.
constexpr bool is_letter(char c) noexcept {
  const auto code = static_cast<unsigned char>(c);
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (code >= 0xc0 && code != 0xd7 && code != 0xf7);
}
constexpr bool is_printable(char c) noexcept {
  const auto code = static_cast<unsigned char>(c);
  return (code >= 0x20 && code < 0x7f) || code >= 0xa0;
}

}  // namespace skep
