// Options of every command that compiles programs, each with an environment variable. Tested by: tests/cli, tests/jit.
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "hive/hive.h"

namespace skep::cli {

struct JitOptions {
  std::string harden = "0";
  bool retpolines = false;
  std::string tools;

  // Sets the engine's options; the values have been checked.
  void apply(hive::Options& options) const;
};
void add_jit_options(CLI::App& command, JitOptions& options);

}  // namespace skep::cli
