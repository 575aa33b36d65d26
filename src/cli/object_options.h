// Options of every command that takes an object: how its C is compiled, what it is relocated against.
// Tested by: tests/cli.
#pragma once

#include <CLI/App.hpp>
#include <string>

namespace skep::cli {

struct ObjectOptions {
  std::string cpu = "v3";
  std::string btf;  // empty: the running kernel's
};
void add_object_options(CLI::App& command, ObjectOptions& options);

}  // namespace skep::cli
