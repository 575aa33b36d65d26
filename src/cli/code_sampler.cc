#include "cli/code_sampler.h"

#include <algorithm>
#include <cerrno>

#include "base/cpus.h"

namespace skep::cli {
namespace {

constexpr std::uint64_t kSamplesPerSecond = 4000;

constexpr ProfileMetric kMetrics[] = {
#define PROFILE_METRIC(name, type, event, about) {#name, PERF_TYPE_##type, event, about},
#include "cli/profile_metrics.def"
#undef PROFILE_METRIC
};

perf_event_attr sampling(const ProfileMetric& metric) {
  perf_event_attr attr{};
  attr.size = sizeof attr;
  attr.type = metric.type;
  attr.config = metric.event;
  attr.sample_freq = kSamplesPerSecond;
  attr.freq = 1;
  attr.sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_PERIOD;
  attr.exclude_user = 1;
  attr.exclude_hv = 1;
  return attr;
}

struct Sample {
  std::uint64_t place, events;
};

}  // namespace

std::span<const ProfileMetric> profile_metrics() { return kMetrics; }

std::expected<CodeSampler, int> CodeSampler::open(const ProfileMetric& metric, const ProgramContents& program) {
  CodeSampler sampler;
  for (std::size_t i = 0; i < std::min(program.symbols.size(), program.code_lengths.size()); ++i)
    sampler.code_.push_back({program.symbols[i], program.symbols[i] + program.code_lengths[i]});
  for (unsigned cpu = 0; cpu < possible_cpus(); ++cpu) {
    auto ring = PerfRing::open(sampling(metric), cpu);
    if (!ring && ring.error() == ENODEV) continue;
    if (!ring) return std::unexpected(ring.error());
    sampler.rings_.push_back(*std::move(ring));
  }
  return sampler;
}

void CodeSampler::drain() {
  for (PerfRing& ring : rings_) {
    ring.read([&](std::uint32_t type, Bytes body) {
      if (type != PERF_RECORD_SAMPLE || body.size() < sizeof(Sample)) return true;
      const auto sample = load<Sample>(body.data());
      const auto within = [&](const Range& code) { return sample.place >= code.begin && sample.place < code.end; };
      if (std::ranges::any_of(code_, within)) events_ += sample.events;
      return true;
    });
  }
}

}  // namespace skep::cli
