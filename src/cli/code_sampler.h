// How much of an event of the processor happens within the machine code of a program of the kernel's, by samples of
// where it happens on every CPU.
//
// Each sample stands for as many events as passed since the last one: of short runs the number is an estimate. What
// happens in helpers is not the program's. A hive's programs cannot be sampled so: by BPF_PROG_TEST_RUN they run as
// code with a budget of steps, which is made beside the code that bpf(2) tells of. Tested by: tests/prog_command.
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string_view>
#include <vector>

#include "cli/live_program.h"
#include "cli/perf_ring.h"

namespace skep::cli {

struct ProfileMetric {
  std::string_view name;
  std::uint32_t type;
  std::uint64_t event;
  std::string_view about;
};
std::span<const ProfileMetric> profile_metrics();

class CodeSampler {
 public:
  // The error is an errno of perf_event_open(2): ENOENT or EOPNOTSUPP where the processor does not count this.
  static std::expected<CodeSampler, int> open(const ProfileMetric& metric, const ProgramContents& program);
  // Takes the samples that are there. To be called some times a second.
  void drain();
  std::uint64_t events() const { return events_; }

 private:
  struct Range {
    std::uint64_t begin, end;
  };
  CodeSampler() = default;

  std::vector<Range> code_;
  std::vector<PerfRing> rings_;  // of the CPUs
  std::uint64_t events_ = 0;
};

}  // namespace skep::cli
