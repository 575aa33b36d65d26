#include <fmt/color.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>

#include "cli/command.h"
#include "cli/style.h"

namespace skep::cli {

void declare_all(Program& program) {
  program.app.description("The Linux eBPF system in user space: compile, run and look into eBPF programs");
  program.app.name("skep");
  program.app.require_subcommand(1);
  program.app.fallthrough(false);
  std::string footer = "Exit codes:\n";
  for (const ExitCode& code : kExitCodes)
    footer += fmt::format("  {}  {}\n", static_cast<int>(code.code), code.meaning);
  footer += "Colour is used on a terminal, and never when NO_COLOR is set.";
  program.app.footer(footer);
#define COMMAND(name) declare_##name(program);
#include "cli/commands.def"
#undef COMMAND
}

Exit report(const Failure& failure) {
  std::fflush(stdout);
  const Style style(stderr);
  fmt::print(stderr, "{} {}\n", style.bad("skep:"), failure.message);
  return failure.code;
}

}  // namespace skep::cli

int main(int argc, char** argv) {
  using namespace skep::cli;
  std::signal(SIGPIPE, SIG_IGN);
  Program program;
  declare_all(program);
  try {
    program.app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    return program.app.exit(help);
  } catch (const CLI::ParseError& error) {
    const auto chosen = program.app.get_subcommands();
    return static_cast<int>(report({Exit::Usage, fmt::format("{}\nTry: skep {}--help", error.what(),
                                                             chosen.empty() ? "" : chosen[0]->get_name() + " ")}));
  }
  return static_cast<int>(program.chosen());
}
