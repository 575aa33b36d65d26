// Work that may take long, on a thread of its own, and how long it has taken shown meanwhile.
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <future>
#include <string_view>

#include "cli/progress.h"

namespace skep::cli {

// What `work` returns. `doing` is what people are told it is: "loading x.o".
template <class Work>
auto with_progress(std::string_view doing, Work work) {
  auto result = std::async(std::launch::async, std::move(work));
  Progress progress;
  for (unsigned ticks = 0; result.wait_for(std::chrono::milliseconds(100)) != std::future_status::ready; ++ticks)
    progress.show([&] { return fmt::format("{}: {} s", doing, ticks / 10); });
  return result.get();
}

}  // namespace skep::cli
