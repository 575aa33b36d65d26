// skep-soak: verified programs on interpreter and compiled code, and a sample of them in the running kernel.
//
// Exit code: 0 when all agreed, 1 when something differed, 2 for wrong arguments.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "jit/jit.h"
#include "soak/soak.h"

namespace {

using namespace skep;
using namespace skep::soak;

constexpr int kDifferent = 1, kUsage = 2;

}  // namespace

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
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsage;
  }
  if (const auto there = jit::available(); !there) {
    std::fprintf(stderr, "skep-soak: %s\n", there.error().message.c_str());
    return kUsage;
  }
  const bool shows = isatty(STDERR_FILENO) != 0;
  const Report report = run(options, [&](const Report& now) {
    if (shows) std::fprintf(stderr, "\r\033[K%s", to_line(now).c_str());
  });
  if (shows) std::fputs("\r\033[K", stderr);
  std::fputs(to_text(report).c_str(), stdout);
  return report.differences == 0 ? 0 : kDifferent;
}
