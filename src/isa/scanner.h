// Reads words, numbers and punctuation of one line, and remembers the furthest place where reading failed and
// what was expected there. Internal to isa/matcher.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skep::isa {

// A number as written.
struct Number {
  bool negative = false;
  std::uint64_t magnitude = 0;

  // As 64 bits, if it lies within [low, high].
  std::optional<std::uint64_t> within(std::int64_t low, std::uint64_t high) const;
};

class Scanner {
 public:
  explicit Scanner(std::string_view line) : line_(line) {}

  void rewind() { at_ = 0; }
  void explain() { explaining_ = true; }  // from now on remember expectations; off by default for speed

  // Each skips blanks, then reads the thing or stays before it, noting what was expected.
  bool literal(std::string_view text);
  std::optional<unsigned> reg(std::string_view prefix, std::optional<unsigned> must_be);
  std::optional<std::uint64_t> number(std::int64_t low, std::uint64_t high);
  std::optional<std::int64_t> signed_distance(std::int64_t low, std::int64_t high);  // +3, -3, + 3
  std::optional<std::string_view> word(std::string_view what);  // a name, not starting with a digit
  bool end();

  char peek();                       // the next character that is no blank; 0 at the end
  bool take(std::string_view text);  // a literal, without noting anything

  // What stands at the furthest failure, and what could have stood there.
  std::string found() const;
  const std::vector<std::string>& expected() const { return expected_; }
  bool failed_at_start() const { return furthest_ == 0; }

 private:
  void skip();
  void expect(std::string_view what);
  std::optional<Number> scan_number();

  std::string_view line_;
  std::size_t at_ = 0;
  bool explaining_ = false;
  std::size_t furthest_ = 0;
  std::vector<std::string> expected_;
};

}  // namespace skep::isa
