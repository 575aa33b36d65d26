#include "cli/fdinfo.h"

#include <fmt/format.h>

#include <fstream>
#include <string>

namespace skep::cli {

std::optional<std::uint64_t> fdinfo_number(int fd, std::string_view word) {
  std::ifstream file(fmt::format("/proc/self/fdinfo/{}", fd));
  for (std::string read; file >> read;) {
    std::uint64_t number = 0;
    if (read == word && file >> number) return number;
  }
  return std::nullopt;
}

}  // namespace skep::cli
