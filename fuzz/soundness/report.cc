#include "soundness/report.h"

#include <fmt/format.h>

#include <numeric>

#include "judge/json_text.h"

namespace skep::soundness {
namespace {

std::uint64_t count(const Report& report, Trial::Start start) {
  return report.programs[static_cast<std::size_t>(start)];
}

std::string_view name(Claims claims) { return claims == Claims::Facts ? "facts" : "explored"; }

}  // namespace

std::uint64_t Report::all_programs() const {
  return std::accumulate(programs.begin(), programs.end(), std::uint64_t{0}) + not_written;
}

std::string to_line(const Report& report) {
  return fmt::format("{} programs, {} accepted, {} runs ({:.0f}/s), {} violations", report.all_programs(),
                     count(report, Trial::Start::Ready), report.all_runs(),
                     static_cast<double>(report.all_runs()) / std::max(report.spent.count(), 0.001),
                     report.violated_runs);
}

std::string to_text(const Report& report) {
  std::string text = to_line(report) + '\n';
  text += fmt::format("  programs: {} ran, {} rejected, {} need what is not there, {} have no engine, {} not written\n",
                      count(report, Trial::Start::Ready), count(report, Trial::Start::Rejected),
                      count(report, Trial::Start::NotHere), count(report, Trial::Start::NoEngine), report.not_written);
  text += fmt::format("  runs: {} against facts ({} claims), {} against explored states ({} claims)\n", report.runs[0],
                      report.claims[0], report.runs[1], report.claims[1]);
  for (const Violation& violation : report.violations)
    text += fmt::format("\n{} seed {} input {} against {}:\n{}\n{}",
                        judge::kClassNames[static_cast<std::size_t>(violation.about)], violation.program_seed,
                        violation.input_seed, name(violation.claims), violation.sentence, violation.program);
  return text;
}

std::string to_json(const Report& report) {
  std::string found;
  for (const Violation& violation : report.violations)
    found +=
        fmt::format("{}{{\"class\":\"{}\",\"seed\":{},\"input\":{},\"claims\":\"{}\",\"sentence\":{},\"program\":{}}}",
                    found.empty() ? "" : ",", judge::kClassNames[static_cast<std::size_t>(violation.about)],
                    violation.program_seed, violation.input_seed, name(violation.claims),
                    judge::json_text(violation.sentence), judge::json_text(violation.program));
  return fmt::format(
      "{{\"programs\":{},\"ran\":{},\"rejected\":{},\"not_here\":{},\"no_engine\":{},\"runs\":{},\"runs_facts\":{},"
      "\"runs_explored\":{},\"claims_facts\":{},\"claims_explored\":{},\"seconds\":{:.1f},\"violated_runs\":{},"
      "\"violations\":[{}]}}\n",
      report.all_programs(), count(report, Trial::Start::Ready), count(report, Trial::Start::Rejected),
      count(report, Trial::Start::NotHere), count(report, Trial::Start::NoEngine), report.all_runs(), report.runs[0],
      report.runs[1], report.claims[0], report.claims[1], report.spent.count(), report.violated_runs, found);
}

}  // namespace skep::soundness
