#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <optional>
#include <system_error>

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

namespace {

// The command line's first word where a command is expected and none has that name; CLI11 would only say that a command
// is missing.
std::optional<std::string> unknown_command(const CLI::App& app, int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') return std::nullopt;
  std::string names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (command->get_name() == argv[1]) return std::nullopt;
    if (!command->get_group().empty()) names += " " + command->get_name();
  }
  return fmt::format("no command \"{}\"; there are:{}\nTry: skep --help", argv[1], names);
}

}  // namespace
}  // namespace skep::cli

int main(int argc, char** argv) {
  using namespace skep::cli;
  Program program;
  declare_all(program);
  if (const auto unknown = unknown_command(program.app, argc, argv))
    return static_cast<int>(report({Exit::Usage, *unknown}));
  try {
    program.app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    return program.app.exit(help);
  } catch (const CLI::ParseError& error) {
    const auto chosen = program.app.get_subcommands();
    return static_cast<int>(report({Exit::Usage, fmt::format("{}\nTry: skep {}--help", error.what(),
                                                             chosen.empty() ? "" : chosen[0]->get_name() + " ")}));
  }
  try {
    return static_cast<int>(program.chosen());
  } catch (const std::system_error& error) {  // fmt::print throws when its output cannot be written
    return static_cast<int>(report({Exit::Input, error.what()}));
  }
}
