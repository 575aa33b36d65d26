// skep prog: the group of commands on programs of a hive or the kernel.
#include "cli/prog.h"

#include <CLI/CLI.hpp>

namespace skep::cli {

void declare_prog(Program& program) {
  CLI::App* app = program.app.add_subcommand("prog", "Load programs, look into them and run them");
  app->require_subcommand(1);
  app->footer(
      "A program is named by NAME or name NAME, by N or id N, by tag TAG, by /PATH or pinned PATH. Options may be "
      "given "
      "as\nbpftool has them, as words without dashes behind the others: prog dump xlated NAME opcodes.");
  CommandGroup group{.program = program, .app = *app};
#define PROG_COMMAND(name) declare_prog_##name(group);
#include "cli/prog_commands.def"
#undef PROG_COMMAND
}

}  // namespace skep::cli
