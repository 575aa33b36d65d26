#include "cli/style.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

namespace skep::cli {

Style::Style(std::FILE* to) {
  const char* forbidden = std::getenv("NO_COLOR");
  colour_ = ::isatty(::fileno(to)) == 1 && (!forbidden || !*forbidden);
}

std::string Style::paint(std::string_view code, std::string_view text) const {
  return colour_ ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::string(text);
}

}  // namespace skep::cli
