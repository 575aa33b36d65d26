#include "measure.h"

#include <algorithm>

namespace skep::bench {
namespace {

constexpr std::size_t kDisturbed = 2;    // batches at each end that a spread leaves out
constexpr double kMostParts = 10;        // of a batch, between which ring buffers are drained
constexpr std::uint32_t kPlenty = 1000;  // runs: programs that can make fewer in a row fill a ring buffer
constexpr int kRounds = 8;               // of such runs, to fill it once

}  // namespace

Ratio ratio(const Batches& over, const Batches& under) {
  Batches ratios;
  for (std::size_t i = 0; i < kBatches; ++i) ratios[i] = over[i] / under[i];
  std::ranges::sort(ratios);
  return {ratios[kBatches / 2], ratios[kDisturbed], ratios[kBatches - 1 - kDisturbed]};
}

double median(Batches values) {
  std::ranges::nth_element(values, values.begin() + kBatches / 2);
  return values[kBatches / 2];
}

Result<Measured> Measured::start(std::unique_ptr<Runner> runner, MutableBytes packet, double batch_time) {
  Measured measured(std::move(runner), packet);
  const std::uint32_t most = measured.runner_->most_runs();
  if (most < kPlenty)  // once around the ring buffer: its memory is touched for the first time
    for (int i = 0; i < kRounds; ++i) TRY_VOID(measured.time(most));
  TRY_VOID(measured.time(1));  // pages are touched for the first time, which alone would look like a batch
  double each = 0;
  for (std::uint32_t runs = 1; runs <= most; runs *= 4) {  // the first runs are slower than what follows
    TRY(const double time, measured.time(runs));
    each = std::max(time, 1.0) / runs;
    if (time > batch_time / 4) break;
  }
  measured.runs_ = static_cast<std::uint32_t>(std::clamp<double>(batch_time / each, 1, most));
  measured.parts_ = static_cast<std::uint32_t>(std::clamp<double>(batch_time / (each * measured.runs_), 1, kMostParts));
  return measured;
}

Result<double> Measured::batch() {
  double total = 0;
  for (std::uint32_t i = 0; i < parts_; ++i) {
    TRY(const double spent, time(runs_));
    total += spent;
  }
  return std::max(total / parts_ / runs_, 0.5);
}

Result<double> Measured::time(std::uint32_t runs) {
  TRY(const double spent, runner_->time(packet_, runs));
  runner_->drain();
  return spent;
}

}  // namespace skep::bench
