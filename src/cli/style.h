// Colour for people: on a terminal, unless NO_COLOR is set.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

namespace skep::cli {

class Style {
 public:
  explicit Style(std::FILE* to);
  static Style plain() { return Style(); }
  bool colour() const { return colour_; }
  std::string title(std::string_view text) const { return paint("1", text); }
  std::string good(std::string_view text) const { return paint("32", text); }
  std::string bad(std::string_view text) const { return paint("1;31", text); }
  std::string faint(std::string_view text) const { return paint("2", text); }

 private:
  std::string paint(std::string_view code, std::string_view text) const;
  Style() = default;
  bool colour_ = false;
};

}  // namespace skep::cli
