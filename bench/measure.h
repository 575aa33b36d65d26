// Times, batch by batch: the number of runs that makes a batch, the middle of the batches, ratios of two forms.
#pragma once

#include <array>
#include <memory>

#include "runner.h"

namespace skep::bench {

inline constexpr std::size_t kBatches = 21;
inline constexpr double kBatchTime = 1.5e6;    // nanoseconds a batch takes, about
using Batches = std::array<double, kBatches>;  // nanoseconds a run

// A ratio of two forms, batch by batch: the middle one, and the third from both ends, so that a few disturbed batches
// do not count.
struct Ratio {
  double median = 0, low = 0, high = 0;
};
Ratio ratio(const Batches& over, const Batches& under);
double median(Batches values);

// A program in one form, with the number of runs that make a batch.
class Measured {
 public:
  // Finds that number by running. `packet` is changed by every run, and must live as long.
  static Result<Measured> start(std::unique_ptr<Runner> runner, MutableBytes packet, double batch_time = kBatchTime);
  // Nanoseconds a run.
  Result<double> batch();

 private:
  Measured(std::unique_ptr<Runner> runner, MutableBytes packet) : runner_(std::move(runner)), packet_(packet) {}
  Result<double> time(std::uint32_t runs);

  std::unique_ptr<Runner> runner_;
  MutableBytes packet_;
  std::uint32_t runs_ = 1, parts_ = 1;
};

}  // namespace skep::bench
