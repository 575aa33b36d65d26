// What `skep dump --jit` shows: source, BPF and machine code of compiled programs, side by side. Tested by: tests/cli.
#pragma once

#include <expected>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "cli/exit_codes.h"
#include "cli/instance.h"
#include "hive/hive.h"

namespace skep::cli {

struct MachineDumpOptions {
  std::string program;  // empty: all
  std::string btf;      // --btf FILE; empty: the running kernel's
  hive::Options hive;   // engine: Jit
  bool opcodes = false;
  bool json = false;
};

// Loads the object into a hive, which verifies and compiles it, and prints its programs.
std::expected<void, Failure> dump_machine_code(const ObjectBytes& object, const MachineDumpOptions& options);

}  // namespace skep::cli
