#include "soundness/soundness.h"

#include "judge/generate.h"
#include "judge/judge.h"
#include "soundness/minimise.h"
#include "soundness/pace.h"
#include "verifier/testing_maps.h"

namespace skep::soundness {
namespace {

constexpr std::size_t kMostTold = 20;

class Runner {
 public:
  Runner(const Options& options, const std::function<void(const Report&)>& progress)
      : options_(options), pace_(options.seconds, progress) {}

  Report run() {
    for (std::uint64_t i = 0; i < options_.programs && !pace_.is_over(report_); ++i) try_one(options_.seed + i);
    pace_.end(report_);
    return std::move(report_);
  }

 private:
  void try_one(std::uint64_t seed) {
    const auto about = options_.about.value_or(static_cast<judge::Class>(seed % judge::kClasses));
    const auto program = judge::generate(about, seed, symbols_);
    if (!program) {
      ++report_.not_written;
      return;
    }
    Trial trial(world_, *program);
    ++report_.programs[static_cast<std::size_t>(trial.start())];
    if (trial.start() != Trial::Start::Ready) return;
    for (const Claims claims : kAllClaims) try_inputs(trial, claims, about, seed, *program);
  }
  void try_inputs(Trial& trial, Claims claims, judge::Class about, std::uint64_t seed, const judge::Program& program) {
    bool told = false;
    report_.claims[static_cast<std::size_t>(claims)] += trial.claims(claims);
    for (std::uint32_t i = 0; i < options_.inputs; ++i) {
      const std::uint64_t input = seed * options_.inputs + i;
      ++report_.runs[static_cast<std::size_t>(claims)];
      const auto failure = trial.run(claims, input);
      if (!failure) continue;
      ++report_.violated_runs;
      if (told || report_.violations.size() >= kMostTold) continue;
      told = true;
      const judge::Program small = minimised(world_, program, claims, input, failure->kind);
      report_.violations.push_back({about, seed, input, claims, failure->text(), judge::to_text(small)});
    }
  }

  const Options& options_;
  Pace<Report> pace_;
  verifier::testing::HelperNames symbols_;
  World world_;
  Report report_;
};

}  // namespace

Report run(const Options& options, const std::function<void(const Report&)>& progress) {
  return Runner(options, progress).run();
}

}  // namespace skep::soundness
