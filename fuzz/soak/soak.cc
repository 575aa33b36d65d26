#include "soak/soak.h"

#include <fmt/format.h>

#include <numeric>

#include "judge/generate.h"
#include "judge/judge.h"
#include "soundness/pace.h"
#include "verifier/testing_maps.h"

namespace skep::soak {
namespace {

using soundness::Claims;
using soundness::Trial;

constexpr std::size_t kMostTold = 20;
constexpr std::uint32_t kRareForms = 4;  // forms other than the plain one see one input of so many
constexpr unsigned kKernelInputs = 10;

class Soak {
 public:
  Soak(const Options& options, const std::function<void(const Report&)>& progress)
      : options_(options), pace_(options.seconds, progress) {
    if (options_.sample != 0) report_.kernel_obstacle = kernel().obstacle();
  }

  Report run() {
    for (std::uint64_t seed = options_.seed; report_.all_runs() < options_.runs && !pace_.is_over(report_); ++seed)
      try_one(seed);
    pace_.end(report_);
    return std::move(report_);
  }

 private:
  void try_one(std::uint64_t seed) {
    const auto about = static_cast<judge::Class>(seed % judge::kClasses);
    const auto program = judge::generate(about, seed, symbols_);
    ++report_.programs;
    if (!program) return;
    constexpr Claims kFacts[] = {Claims::Facts};
    Trial trial(world_, *program, kFacts);
    if (trial.start() != Trial::Start::Ready) return;
    ++report_.accepted;
    Differential differential(world_, trial, program->type);
    if (!differential.obstacle().empty()) return;
    ++report_.compiled;
    for (std::uint32_t i = 0; i < options_.inputs; ++i)
      for (std::size_t form = 0; form < kForms; ++form)
        if (form == 0 || i % kRareForms == 0)
          if (!compare(differential, static_cast<Form>(form), about, seed, seed * options_.inputs + i, *program))
            return;
    if (options_.sample != 0 && report_.compiled % options_.sample == 0) ask_kernel(about, seed, *program);
  }

  // False: no more of this program.
  bool compare(Differential& differential, Form form, judge::Class about, std::uint64_t seed, std::uint64_t input,
               const judge::Program& program) {
    const Differential::Found found = differential.run(form, input);
    switch (found.outcome) {
      case Differential::Outcome::Same: ++report_.runs[static_cast<std::size_t>(form)]; return true;
      case Differential::Outcome::Cut: ++report_.cut; return true;
      case Differential::Outcome::Addresses: ++report_.addresses; return true;
      case Differential::Outcome::Different:
        ++report_.runs[static_cast<std::size_t>(form)];
        tell({about, seed, input, std::string(kFormNames[static_cast<std::size_t>(form)]), found.what,
              judge::to_text(program)});
        return false;
    }
    return false;
  }

  KernelSample& kernel() {
    static KernelSample sample;
    return sample;
  }
  void ask_kernel(judge::Class about, std::uint64_t seed, const judge::Program& program) {
    const KernelSample::Found found = kernel().run(program, seed, kKernelInputs);
    report_.kernel_runs += found.runs;
    report_.kernel_programs += found.runs != 0;
    if (found.outcome == KernelSample::Outcome::Different)
      tell({about, seed, 0, "the kernel", found.what, judge::to_text(program)});
  }

  void tell(Report::Difference difference) {
    ++report_.differences;
    if (report_.told.size() < kMostTold) report_.told.push_back(std::move(difference));
  }

  const Options& options_;
  soundness::Pace<Report> pace_;
  verifier::testing::HelperNames symbols_;
  soundness::World world_;
  Report report_;
};

}  // namespace

std::uint64_t Report::all_runs() const { return std::accumulate(runs.begin(), runs.end(), std::uint64_t{0}); }

std::string to_line(const Report& report) {
  return fmt::format("{} runs of {} programs compared ({:.0f}/s), {} in the kernel, {} differences", report.all_runs(),
                     report.compiled, static_cast<double>(report.all_runs()) / std::max(report.spent.count(), 0.001),
                     report.kernel_runs, report.differences);
}

std::string to_text(const Report& report) {
  std::string text = to_line(report) + '\n';
  text += fmt::format("  programs: {} generated, {} accepted, {} compiled\n  runs:", report.programs, report.accepted,
                      report.compiled);
  for (std::size_t form = 0; form < kForms; ++form)
    text += fmt::format("{} {} {}", form == 0 ? "" : ",", report.runs[form], kFormNames[form]);
  text += fmt::format("; not compared: {} too long, {} that depend on addresses\n", report.cut, report.addresses);
  text += report.kernel_obstacle.empty()
              ? fmt::format("  kernel: {} runs of {} programs\n", report.kernel_runs, report.kernel_programs)
              : fmt::format("  kernel: not asked: {}\n", report.kernel_obstacle);
  for (const Report::Difference& one : report.told)
    text += fmt::format("\n{} seed {} input {}, {}: {}\n{}", judge::kClassNames[static_cast<std::size_t>(one.about)],
                        one.seed, one.input, one.engine, one.what, one.program);
  return text;
}

Report run(const Options& options, const std::function<void(const Report&)>& progress) {
  return Soak(options, progress).run();
}

}  // namespace skep::soak
