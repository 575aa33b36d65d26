// Options of commands that make a hive: `skep exec`, `skep hive start`. Tested by: tests/cli, tests/host.
#pragma once

#include <CLI/App.hpp>
#include <string>

#include "cli/jit_options.h"
#include "hive/hive.h"

namespace skep::cli {

struct HiveOptions {
  std::string engine = "checked";
  bool unverified = false;
  std::string unprivileged_bpf = "off";
  JitOptions jit;

  hive::Options options() const;  // the values have been checked
};
void add_hive_options(CLI::App& command, HiveOptions& options);

}  // namespace skep::cli
