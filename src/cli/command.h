// How a command of `skep` is made: declare_NAME() adds its options to the command line and says what to run.
// A new command is a row in commands.def and a file cli/NAME.cc.
#pragma once

#include <CLI/App.hpp>
#include <functional>
#include <string>

#include "cli/bpf_call.h"
#include "cli/exit_codes.h"

namespace skep::cli {

// The whole command line, and what the chosen command is to do.
struct Program {
  CLI::App app;
  std::function<Exit()> chosen;
  // Where bpf(2) calls go that no option sends elsewhere; empty: see cli/back_end.h.
  BpfCall bpf;
  // With it: the folder of pins (cli/back_end.h).
  std::string pins;
};

#define COMMAND(name) void declare_##name(Program& program);
#include "cli/commands.def"
#undef COMMAND

// Declares every command. The tree that it makes is the source of help, manual pages and completions.
void declare_all(Program& program);

// Declares every command and runs the one that the command line chooses: what main() returns.
int run_tool(Program& program, int argc, const char* const* argv);

// "skep: MESSAGE" on stderr, and the code.
Exit report(const Failure& failure);

}  // namespace skep::cli
