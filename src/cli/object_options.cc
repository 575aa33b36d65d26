#include "cli/object_options.h"

#include <CLI/CLI.hpp>

namespace skep::cli {

void add_object_options(CLI::App& command, ObjectOptions& options) {
  command.add_option("--mcpu", options.cpu, "instruction set clang may use: v1 to v4")
      ->check(CLI::IsMember({"v1", "v2", "v3", "v4"}))
      ->capture_default_str()
      ->type_name("CPU");
  command.add_option("--btf", options.btf, "resolve CO-RE against the raw BTF in FILE, not the running kernel's")
      ->type_name("FILE");
}

}  // namespace skep::cli
