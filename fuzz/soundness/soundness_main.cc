// skep-soundness: what verifier and facts claim of programs, compared with what they do.
//
// Exit code: 0 when nothing was violated, 1 when something was, 2 for wrong arguments.
#include <cstdio>

#include "soundness/soundness.h"
#include "tool.h"

using namespace skep;
using namespace skep::soundness;

int main(int argc, char** argv) {
  Options options;
  bool json = false;
  CLI::App app("What verifier and facts claim of random programs, compared with what they do", "skep-soundness");
  app.add_option("--programs", options.programs, "Programs")->capture_default_str();
  app.add_option("--inputs", options.inputs, "Of each program, for each set of claims")->capture_default_str();
  app.add_option("--seed", options.seed, "Of the first program; the next have the next")->capture_default_str();
  app.add_option("--seconds", options.seconds, "Stop after as many; 0: no limit")->capture_default_str();
  app.add_option("--class", options.about, "Programs of this class only")
      ->transform(CLI::Transformer(judge::classes_by_name()));
  app.add_flag("--json", json, "JSON instead of text");
  if (const auto code = fuzz::parse(app, argc, argv)) return *code;
  const Report report = run(options, [](const Report& now) { fuzz::show_progress(to_line(now)); });
  fuzz::show_progress({});
  std::fputs((json ? to_json(report) : to_text(report)).c_str(), stdout);
  return report.violated_runs == 0 ? 0 : fuzz::kFound;
}
