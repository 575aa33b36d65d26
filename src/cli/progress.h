// "1 234 567 packets" on a terminal, from the second second on.
#pragma once

#include <chrono>
#include <string>

namespace skep::cli {

class Progress {
 public:
  Progress();
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `text` says where the work is; it is asked for when it is time to draw.
  template <class Text>
  void show(Text text) {
    if (due()) draw(text());
  }

 private:
  using Clock = std::chrono::steady_clock;
  bool due();
  void draw(const std::string& text);

  bool shown_, drawn_ = false;
  Clock::time_point start_, last_;
};

}  // namespace skep::cli
