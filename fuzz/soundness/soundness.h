// The soundness run: generated programs that this verifier accepts, each on several drawn inputs in the checked
// interpreter, which compares every register with what was claimed of it and every access with the live objects.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "soundness/report.h"

namespace skep::soundness {

struct Options {
  std::uint64_t programs = 2'000, seed = 1;
  std::uint32_t inputs = 20;  // of each program, for each set of claims
  double seconds = 0;         // 0: no limit
  std::optional<judge::Class> about = {};
};

// `progress` is called about once a second, and at the end.
Report run(const Options& options, const std::function<void(const Report&)>& progress);

}  // namespace skep::soundness
