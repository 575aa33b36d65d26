// The path of a descriptor of this process in /proc, by which it is opened again or asked about.
#pragma once

#include <cstdio>

namespace skep {

struct ProcPath {
  char text[32];
  explicit ProcPath(int fd) noexcept { std::snprintf(text, sizeof text, "/proc/self/fd/%d", fd); }
};

}  // namespace skep
