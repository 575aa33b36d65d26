// skep-soundness: what verifier and facts claim of programs, compared with what they do.
//
// Exit code: 0 when nothing was violated, 1 when something was, 2 for wrong arguments.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "soundness/soundness.h"

namespace {

using namespace skep;
using namespace skep::soundness;

constexpr int kViolated = 1, kUsage = 2;
}  // namespace

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
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsage;
  }
  const bool shows = isatty(STDERR_FILENO) != 0;
  const Report report = run(options, [&](const Report& now) {
    if (shows) std::fprintf(stderr, "\r\033[K%s", to_line(now).c_str());
  });
  if (shows) std::fputs("\r\033[K", stderr);
  std::fputs((json ? to_json(report) : to_text(report)).c_str(), stdout);
  return report.violated_runs == 0 ? 0 : kViolated;
}
