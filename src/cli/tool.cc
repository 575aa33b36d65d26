#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "cli/command.h"
#include "cli/style.h"

namespace skep::cli {

namespace {

// Help whose usage leaves out arguments that are not shown, and the second brackets of those in brackets.
class HelpText final : public CLI::Formatter {
 public:
  std::string make_usage(const CLI::App* app, std::string name) const override {
    std::string text = Formatter::make_usage(app, std::move(name));
    for (const auto& [from, to] : {std::pair{" []", ""}, {"[[", "["}, {"]]", "]"}})
      for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos;)
        text.replace(at, std::string_view(from).size(), to);
    return text;
  }
};

}  // namespace

void declare_all(Program& program) {
  program.app.formatter(std::make_shared<HelpText>());
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

// The first word where a command is expected and none has that name; CLI11 would only say that a command is missing.
std::optional<std::string> unknown_command(const CLI::App& app, std::span<const char* const> words,
                                           const std::string& before) {
  const auto commands = app.get_subcommands([](const CLI::App*) { return true; });
  if (commands.empty() || words.empty() || words[0][0] == '-') return std::nullopt;
  std::string names;
  for (const CLI::App* command : commands) {
    if (command->get_name() == words[0])
      return unknown_command(*command, words.subspan(1), before + command->get_name() + " ");
    if (!command->get_group().empty()) names += " " + command->get_name();
  }
  return fmt::format("no command \"{}{}\"; there are:{}\nTry: skep {}--help", before, words[0], names, before);
}

// "map update " of the commands that were chosen, for a hint.
std::string chosen_commands(const CLI::App& app) {
  const auto chosen = app.get_subcommands();
  return chosen.empty() ? "" : chosen[0]->get_name() + " " + chosen_commands(*chosen[0]);
}

}  // namespace

int run_tool(Program& program, int argc, const char* const* argv) {
  declare_all(program);
  const std::span words(argv + 1, static_cast<std::size_t>(std::max(argc - 1, 0)));
  if (const auto unknown = unknown_command(program.app, words, ""))
    return static_cast<int>(report({Exit::Usage, *unknown}));
  try {
    program.app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    return program.app.exit(help);
  } catch (const CLI::ParseError& error) {
    return static_cast<int>(
        report({Exit::Usage, fmt::format("{}\nTry: skep {}--help", error.what(), chosen_commands(program.app))}));
  }
  try {
    return static_cast<int>(program.chosen());
  } catch (const std::system_error& error) {  // fmt::print throws when its output cannot be written
    return static_cast<int>(report({Exit::Input, error.what()}));
  }
}

}  // namespace skep::cli
