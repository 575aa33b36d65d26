// skep-soak: verified programs on interpreter and compiled code, and a sample of them in the running kernel.
//
// Exit code: 0 when all agreed, 1 when something differed, 2 for wrong arguments.
#include <cstdio>

#include "jit/jit.h"
#include "soak/soak.h"
#include "tool.h"

using namespace skep;
using namespace skep::soak;

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Random programs that the verifier accepts, interpreted and compiled: the same results, the same bytes",
               "skep-soak");
  app.add_option("--runs", options.runs, "Runs to compare")->capture_default_str();
  app.add_option("--inputs", options.inputs, "Of each program")->capture_default_str();
  app.add_option("--seed", options.seed, "Of the first program; the next have the next")->capture_default_str();
  app.add_option("--sample", options.sample, "One program of so many is put to the kernel as well; 0: none")
      ->capture_default_str();
  app.add_option("--seconds", options.seconds, "Stop after as many; 0: no limit")->capture_default_str();
  if (const auto code = fuzz::parse(app, argc, argv)) return *code;
  if (const auto there = jit::available(); !there) {
    std::fprintf(stderr, "skep-soak: %s\n", there.error().message.c_str());
    return fuzz::kUsage;
  }
  const Report report = run(options, [](const Report& now) { fuzz::show_progress(to_line(now)); });
  fuzz::show_progress({});
  std::fputs(to_text(report).c_str(), stdout);
  return report.differences == 0 ? 0 : fuzz::kFound;
}
