#include <fmt/format.h>
#include <skep/version.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/command.h"

namespace skep::cli {

void declare_version(Program& program) {
  CLI::App* command = program.app.add_subcommand("version", "Print the version of skep");
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "as JSON");
  command->callback([&program, json] {
    program.chosen = [json] {
      if (*json) {
        fmt::print("{}\n", nlohmann::json{{"version", SKEP_VERSION}}.dump());
      } else {
        fmt::print("skep {}\n", SKEP_VERSION);
      }
      return Exit::Ok;
    };
  });
}

}  // namespace skep::cli
