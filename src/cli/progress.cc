#include "cli/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

namespace skep::cli {

Progress::Progress() : shown_(::isatty(2) == 1), start_(Clock::now()), last_(start_) {}

Progress::~Progress() {
  if (drawn_) fmt::print(stderr, "\r\x1b[K");
}

bool Progress::due() {
  if (!shown_) return false;
  const Clock::time_point now = Clock::now();
  return now - last_ >= std::chrono::milliseconds(200) && now - start_ >= std::chrono::seconds(1);
}

void Progress::draw(const std::string& text) {
  last_ = Clock::now();
  drawn_ = true;
  fmt::print(stderr, "\r\x1b[K{}", text);
  std::fflush(stderr);
}

}  // namespace skep::cli
