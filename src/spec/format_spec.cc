#include "spec/format_spec.h"

#include <algorithm>

namespace skep::spec {

namespace {

using Kind = FormatSpec::Kind;

constexpr std::int32_t kMaxWidth = (1 << 23) - 1;

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool is_alnum(char c) noexcept { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
// What may follow a conversion that takes a suffix: the end, blanks, punctuation.
bool ends_word(std::string_view text) noexcept {
  if (text.empty()) return true;
  const char c = text[0];
  return (c >= '!' && c <= '~' && !is_alnum(c)) || c == ' ' || (c >= '\t' && c <= '\r');
}
char at(std::string_view text, std::size_t i) noexcept { return i < text.size() ? text[i] : '\0'; }

void take_flags(std::string_view& text, FormatSpec& spec) noexcept {
  for (; !text.empty(); text.remove_prefix(1)) {
    switch (text[0]) {
      case '-': spec.left = true; break;
      case '+': spec.plus = true; break;
      case ' ': spec.space = true; break;
      case '0': spec.zeros = true; break;
      default: return;
    }
  }
}

void take_width(std::string_view& text, FormatSpec& spec) noexcept {
  if (text.empty() || !is_digit(text[0])) return;
  std::uint32_t width = 0;
  for (; !text.empty() && is_digit(text[0]); text.remove_prefix(1))
    width = width * 10 + static_cast<std::uint32_t>(text[0] - '0');
  spec.width = std::clamp(static_cast<std::int32_t>(width), -kMaxWidth, kMaxWidth);
}

bool is_text(char c) noexcept { return (c >= ' ' && c <= '~') || (c >= '\t' && c <= '\r'); }

void skip_word(std::string_view& text) noexcept {
  while (!text.empty() && is_alnum(text[0])) text.remove_prefix(1);
}

// The forms behind %p; `text` starts behind the p.
bool take_pointer(std::string_view& text, FormatSpec& spec) noexcept {
  spec.wide = true;
  const char first = at(text, 0), second = at(text, 1);
  if (ends_word(text)) {
    spec.kind = Kind::HashedPointer;
    return first != '%';
  }
  if ((first == 'k' || first == 'u') && second == 's') {
    spec.kind = Kind::PointerString;
    text.remove_prefix(2);
    return ends_word(text);
  }
  switch (first) {
    case 'K': spec.kind = Kind::HashedPointer; break;
    case 'x': spec.kind = Kind::RawPointer; break;
    case 's':
    case 'S': spec.kind = Kind::Symbol; break;
    case 'B': spec.kind = Kind::SymbolText; break;
    case 'I':
    case 'i':
      if (second != '4' && second != '6') return false;
      spec.kind =
          first == 'I' ? (second == '4' ? Kind::Ip4 : Kind::Ip6) : (second == '4' ? Kind::Ip4Zeros : Kind::Ip6Plain);
      break;
    default: return false;
  }
  skip_word(text);
  return true;
}

bool take_integer(std::string_view& text, FormatSpec& spec) noexcept {
  for (int i = 0; i < 2 && at(text, 0) == 'l'; ++i) {
    spec.wide = true;
    text.remove_prefix(1);
  }
  switch (at(text, 0)) {
    case 'd':
    case 'i': spec.kind = Kind::Signed; break;
    case 'u': spec.kind = Kind::Unsigned; break;
    case 'x': spec.kind = Kind::Hex; break;
    case 'X': spec.kind = Kind::HexUpper; break;
    default: return false;
  }
  text.remove_prefix(1);
  return true;
}

}  // namespace

bool take_spec(std::string_view& text, FormatSpec& spec) noexcept {
  spec = {};
  text.remove_prefix(1);
  if (at(text, 0) == '%') {
    text.remove_prefix(1);
    return true;
  }
  take_flags(text, spec);
  take_width(text, spec);
  switch (at(text, 0)) {
    case 'p': text.remove_prefix(1); return take_pointer(text, spec);
    case 's':
      spec.kind = Kind::String;
      text.remove_prefix(1);
      return ends_word(text);
    case 'c':
      spec.kind = Kind::Char;
      text.remove_prefix(1);
      return true;
    default: return take_integer(text, spec);
  }
}

bool valid_format(std::string_view format, std::size_t arguments) noexcept {
  while (!format.empty()) {
    if (!is_text(format[0])) return false;
    if (format[0] != '%') {
      format.remove_prefix(1);
      continue;
    }
    if (!format.starts_with("%%") && arguments == 0) return false;
    FormatSpec spec;
    if (!take_spec(format, spec)) return false;
    if (spec.kind != Kind::Percent) --arguments;
  }
  return true;
}

}  // namespace skep::spec
