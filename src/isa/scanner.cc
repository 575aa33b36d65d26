#include "isa/scanner.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "isa/matcher.h"

namespace skep::isa {

bool is_word(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '$';
}

std::optional<std::uint64_t> Number::within(std::int64_t low, std::uint64_t high) const {
  if (!negative) return magnitude <= high ? std::optional(magnitude) : std::nullopt;
  const auto most = low < 0 ? ~static_cast<std::uint64_t>(low) + 1 : 0;  // -low, without overflow
  return magnitude <= most ? std::optional(~magnitude + 1) : std::nullopt;
}

void Scanner::skip() {
  while (at_ < line_.size() && (line_[at_] == ' ' || line_[at_] == '\t')) ++at_;
}

void Scanner::expect(std::string_view what) {
  if (!explaining_ || at_ < furthest_) return;
  if (at_ > furthest_) expected_.clear();
  furthest_ = at_;
  if (std::ranges::find(expected_, what) == expected_.end()) expected_.emplace_back(what);
}

bool Scanner::take(std::string_view text) {
  skip();
  const std::string_view rest = line_.substr(at_);
  if (!rest.starts_with(text)) return false;
  if (is_word(text.back()) && rest.size() > text.size() && is_word(rest[text.size()])) return false;
  at_ += text.size();
  return true;
}

bool Scanner::literal(std::string_view text) {
  if (take(text)) return true;
  if (explaining_) expect(fmt::format("\"{}\"", text));
  return false;
}

char Scanner::peek() {
  skip();
  return at_ < line_.size() ? line_[at_] : '\0';
}

bool Scanner::end() {
  skip();
  if (at_ == line_.size()) return true;
  expect("the end of the line");
  return false;
}

std::optional<unsigned> Scanner::reg(std::string_view prefix, std::optional<unsigned> must_be) {
  skip();
  const std::string_view rest = line_.substr(at_);
  if (rest.starts_with(prefix)) {
    const char* const first = rest.data() + prefix.size();
    const char* const last = rest.data() + rest.size();
    unsigned number = 0;
    const auto [end, error] = std::from_chars(first, last, number);
    const bool whole = error == std::errc() && (end == last || !is_word(*end));
    if (whole && number < 16 && (!must_be || number == *must_be)) {
      at_ += static_cast<std::size_t>(end - rest.data());
      return number;
    }
  }
  if (!explaining_) return {};
  expect(must_be ? fmt::format("{}{} again", prefix, *must_be) : fmt::format("a register {0}0 to {0}10", prefix));
  return {};
}

// A number at the current place, which is left behind it; else the place is unchanged.
std::optional<Number> Scanner::scan_number() {
  const std::size_t start = at_;
  Number number;
  if (at_ < line_.size() && line_[at_] == '-') {
    number.negative = true;
    ++at_;
  }
  int base = 10;
  const std::string_view rest = line_.substr(at_);
  if (rest.starts_with("0x") || rest.starts_with("0X")) {
    base = 16;
    at_ += 2;
  }
  const char* const last = line_.data() + line_.size();
  const auto [end, error] = std::from_chars(line_.data() + at_, last, number.magnitude, base);
  if (error == std::errc() && (end == last || !is_word(*end))) {
    at_ = static_cast<std::size_t>(end - line_.data());
    return number;
  }
  at_ = start;
  return {};
}

std::optional<std::uint64_t> Scanner::number(std::int64_t low, std::uint64_t high) {
  skip();
  const std::size_t start = at_;
  if (const auto number = scan_number())
    if (const auto value = number->within(low, high)) return value;
  at_ = start;
  if (explaining_) expect(fmt::format("a number from {} to {}", low, high));
  return {};
}

std::optional<std::int64_t> Scanner::signed_distance(std::int64_t low, std::int64_t high) {
  skip();
  const std::size_t start = at_;
  if (at_ < line_.size() && (line_[at_] == '+' || line_[at_] == '-')) {
    const bool negative = line_[at_++] == '-';
    skip();
    if (auto number = scan_number(); number && !number->negative) {
      number->negative = negative;
      if (const auto value = number->within(low, static_cast<std::uint64_t>(high)))
        return static_cast<std::int64_t>(*value);
    }
  }
  at_ = start;
  if (explaining_) expect(fmt::format("a distance from {} to +{}", low, high));
  return {};
}

std::optional<std::string_view> Scanner::word(std::string_view what) {
  skip();
  std::size_t end = at_;
  while (end < line_.size() && is_word(line_[end])) ++end;
  if (end == at_ || (line_[at_] >= '0' && line_[at_] <= '9')) {
    expect(what);
    return {};
  }
  const std::string_view name = line_.substr(at_, end - at_);
  at_ = end;
  return name;
}

std::string Scanner::found() const {
  const std::string_view rest = line_.substr(furthest_);
  if (rest.empty()) return "the end of the line";
  std::size_t length = 0;
  while (length < rest.size() && length < 40 && is_word(rest[length])) ++length;
  if (rest[0] == '-' || rest[0] == '%')
    for (length = 1; length < rest.size() && length < 40 && is_word(rest[length]);) ++length;
  return fmt::format("\"{}\"", rest.substr(0, length ? length : 1));
}

}  // namespace skep::isa
