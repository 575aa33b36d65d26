// skep meta: manual pages and shell completions, made from the command line's own tree, so that each option is declared
// once. Not shown in help: packagers and the tests call it.
#include <fmt/format.h>
#include <skep/version.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>

#include "cli/command.h"

namespace skep::cli {
namespace {

bool is_hidden(const CLI::App& command) { return command.get_group().empty(); }

std::vector<const CLI::App*> commands(const CLI::App& app) {
  std::vector<const CLI::App*> shown;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App* c) { return !is_hidden(*c); }))
    shown.push_back(command);
  return shown;
}

// ---- roff

std::string roff(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((i == 0 || text[i - 1] == '\n') && (text[i] == '.' || text[i] == '\'')) out += "\\&";
    out += text[i] == '\\' ? "\\e" : text[i] == '-' ? "\\-" : std::string(1, text[i]);
  }
  return out;
}

std::string option_heading(const CLI::Option& option) {
  const std::string value =
      option.get_type_name().empty() ? "" : fmt::format(" \\fI{}\\fR", roff(option.get_type_name()));
  return option.get_positional() ? fmt::format("\\fI{}\\fR", roff(option.get_name()))
                                 : fmt::format("\\fB{}\\fR{}", roff(option.get_name()), value);
}

std::string options_of(const CLI::App& app) {
  std::string text;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;  // hidden
    const std::string standard = option->get_default_str();
    text += fmt::format(".TP\n{}\n{}{}\n", option_heading(*option), roff(option->get_description()),
                        standard.empty() ? "" : fmt::format(" (default: {})", roff(standard)));
  }
  return text;
}

// " MAP KEY": the positional arguments that help shows.
std::string words_of(const CLI::App& app) {
  std::string text;
  for (const CLI::Option* option : app.get_options())
    if (option->get_positional() && !option->get_group().empty()) text += fmt::format(" {}", roff(option->get_name()));
  return text;
}

// A command's own footer; without one it has that of what it is part of.
std::string own_footer(const CLI::App& app) {
  for (const CLI::App* around = app.get_parent(); around != nullptr; around = around->get_parent())
    if (around->get_footer() == app.get_footer()) return "";
  return app.get_footer();
}

std::string options_section(const CLI::App& app) {
  std::string text = ".SH OPTIONS\n" + options_of(app);
  for (const CLI::App* verb : commands(app)) {
    text += fmt::format(".SS skep {} {}{}\n{}\n", app.get_name(), verb->get_name(), words_of(*verb),
                        roff(verb->get_description()));
    if (const std::string footer = own_footer(*verb); !footer.empty()) text += ".P\n" + roff(footer) + "\n";
    text += options_of(*verb);
  }
  return text;
}

std::string exit_section() {
  std::string text = ".SH EXIT STATUS\n";
  for (const ExitCode& code : kExitCodes)
    text += fmt::format(".TP\n{}\n{}\n", static_cast<int>(code.code), roff(code.meaning));
  return text;
}

std::string head(const std::string& page, std::string_view about) {
  return fmt::format(".TH {} 1 \"\" \"skep {}\"\n.SH NAME\n{} \\- {}\n", page, SKEP_VERSION, page, roff(about));
}

std::string environment_section() {
  return ".SH ENVIRONMENT\n.TP\nNO_COLOR\nno colour, also on a terminal\n.TP\nSKEP_CLANG\nthe compiler for C sources "
         "(clang\\-19)\n"
         ".TP\nXDG_CACHE_HOME\nwhere vmlinux.h is kept\n";
}

std::string main_page(const CLI::App& app) {
  std::string text = head("skep", app.get_description()) + ".SH SYNOPSIS\n.B skep\n\\fICOMMAND\\fR ...\n.SH COMMANDS\n";
  for (const CLI::App* command : commands(app))
    text += fmt::format(".TP\n\\fBskep {}\\fR\n{}; see skep\\-{}(1)\n", command->get_name(),
                        roff(command->get_description()), command->get_name());
  return text + exit_section() + environment_section();
}

std::string command_page(const CLI::App& command) {
  std::string synopsis = commands(command).empty() ? "" : " \\fICOMMAND\\fR";
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_required()) synopsis += fmt::format(" {}", option_heading(*option));
  }
  std::string text = head(fmt::format("skep-{}", command.get_name()), command.get_description());
  text += fmt::format(".SH SYNOPSIS\n\\fBskep {}\\fR{} [\\fIOPTION\\fR ...]\n", command.get_name(), synopsis);
  if (!command.get_footer().empty()) text += ".SH DESCRIPTION\n" + roff(command.get_footer()) + "\n";
  return text + options_section(command) + exit_section() + ".SH SEE ALSO\nskep(1)\n";
}

// ---- completions

// Those of the command and of its own commands, each once.
void add_long_options(const CLI::App& app, std::vector<std::string>& names) {
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames())
      if (std::ranges::find(names, "--" + name) == names.end()) names.push_back("--" + name);
  for (const CLI::App* command : commands(app)) add_long_options(*command, names);
}

std::string long_options(const CLI::App& app) {
  std::vector<std::string> names;
  add_long_options(app, names);
  return fmt::format("{}", fmt::join(names, " "));
}

std::string command_names(const CLI::App& app) {
  std::string text;
  for (const CLI::App* command : commands(app))
    text += fmt::format("{}{}", text.empty() ? "" : " ", command->get_name());
  return text;
}

std::string bash(const CLI::App& app) {
  std::string cases;
  for (const CLI::App* command : commands(app))
    cases += fmt::format("    {}) options=\"{}\" verbs=\"{}\" ;;\n", command->get_name(), long_options(*command),
                         command_names(*command));
  return fmt::format(
      "# bash completion for skep; made by: skep meta completion bash\n"
      "_skep() {{\n"
      "  local word=${{COMP_WORDS[COMP_CWORD]}} options=\"\" verbs=\"\"\n"
      "  if ((COMP_CWORD == 1)); then\n"
      "    COMPREPLY=($(compgen -W \"{} --help\" -- \"$word\"))\n"
      "    return\n"
      "  fi\n"
      "  case ${{COMP_WORDS[1]}} in\n{}  esac\n"
      "  if [[ $word == -* ]]; then\n"
      "    COMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n"
      "  elif ((COMP_CWORD == 2)) && [[ $verbs ]]; then\n"
      "    COMPREPLY=($(compgen -W \"$verbs\" -- \"$word\"))\n"
      "  else\n"
      "    COMPREPLY=($(compgen -f -- \"$word\"))\n"
      "  fi\n"
      "}}\n"
      "complete -o filenames -F _skep skep\n",
      command_names(app), cases);
}

std::string zsh(const CLI::App& app) {
  std::string text =
      "#compdef skep\n# made by: skep meta completion zsh\nlocal -a options verbs\nif ((CURRENT == 2)); then\n";
  text += fmt::format("  compadd {}\n  return\nfi\ncase $words[2] in\n", command_names(app));
  for (const CLI::App* command : commands(app))
    text += fmt::format("  {}) options=({}) verbs=({}) ;;\n", command->get_name(), long_options(*command),
                        command_names(*command));
  return text +
         "esac\nif [[ $PREFIX == -* ]]; then\n  compadd -- $options\nelif ((CURRENT == 3 && $#verbs)); then\n"
         "  compadd -- $verbs\nelse\n  _files\nfi\n";
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '\'' ? std::string("\\'") : std::string(1, c);
  return out;
}

// The options that fish offers behind `words`, all of which must be there.
std::string fish_options(const CLI::App& command, const std::string& words) {
  std::string text;
  for (const CLI::Option* option : command.get_options())
    for (const std::string& name : option->get_lnames())
      text += fmt::format("complete -c skep -n '{}' -l {}{} -d '{}'\n", words, name,
                          option->get_type_name().empty() ? "" : " -r", escaped(option->get_description()));
  return text;
}

std::string fish(const CLI::App& app) {
  std::string text = "# made by: skep meta completion fish\n";
  for (const CLI::App* command : commands(app)) {
    text += fmt::format("complete -c skep -n __fish_use_subcommand -a {} -d '{}'\n", command->get_name(),
                        escaped(command->get_description()));
    const std::string seen = fmt::format("__fish_seen_subcommand_from {}", command->get_name());
    text += fish_options(*command, seen);
    for (const CLI::App* verb : commands(*command)) {
      text += fmt::format("complete -c skep -n '{}' -f -a {} -d '{}'\n", seen, verb->get_name(),
                          escaped(verb->get_description()));
      text += fish_options(*verb, fmt::format("{}; and __fish_seen_subcommand_from {}", seen, verb->get_name()));
    }
  }
  return text;
}

// Each thing that can be made: its words on the command line and what makes it.
struct Product {
  std::string_view name;
  std::string (*make)(const CLI::App& app);
};
constexpr Product kCompletions[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};

Exit man(const CLI::App& app, const std::string& page) {
  if (page == "skep") return fmt::print("{}", main_page(app)), Exit::Ok;
  for (const CLI::App* command : commands(app)) {
    if (page == command->get_name()) return fmt::print("{}", command_page(*command)), Exit::Ok;
  }
  return report({Exit::Usage, fmt::format("no page \"{}\"; there are: skep {}", page, command_names(app))});
}

Exit completion(const CLI::App& app, const std::string& shell) {
  for (const Product& product : kCompletions) {
    if (product.name == shell) return fmt::print("{}", product.make(app)), Exit::Ok;
  }
  return report({Exit::Usage, fmt::format("no completion for \"{}\"; there are: bash zsh fish", shell)});
}

}  // namespace

void declare_meta(Program& program) {
  CLI::App* command = program.app.add_subcommand("meta", "Manual pages and shell completions")->group("");
  auto what = std::make_shared<std::pair<std::string, std::string>>();
  command->add_option("WHAT", what->first, "man or completion")
      ->required()
      ->check(CLI::IsMember({"man", "completion"}));
  command->add_option("WHICH", what->second, "the page (skep, run ...) or the shell (bash, zsh, fish)")->required();
  command->callback([&program, what] {
    program.chosen = [&program, what] {
      return what->first == "man" ? man(program.app, what->second) : completion(program.app, what->second);
    };
  });
}

}  // namespace skep::cli
