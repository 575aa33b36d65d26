#include "cli/jit_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "hive/compiled.h"

namespace skep::cli {

namespace {

std::string known_tools() {
  std::string list;
  for (const hive::ToolName& tool : hive::tool_names())
    list += fmt::format("{}{}: {}", list.empty() ? "" : "; ", tool.name, tool.how);
  return list;
}

std::string check_tools(const std::string& list) {
  hive::Options options;
  const Result<> chosen = hive::choose_tools(list, options);
  return chosen ? "" : chosen.error().message;
}

}  // namespace

void JitOptions::apply(hive::Options& options) const {
  options.harden = static_cast<hive::Harden>(harden.front() - '0');
  options.jit.hardening.retpolines = retpolines;
  [[maybe_unused]] const Result<> chosen = hive::choose_tools(tools, options);
}

void add_jit_options(CLI::App& command, JitOptions& options) {
  command
      .add_option("--jit-harden", options.harden,
                  "whose constants stay out of compiled code: 0 nobody's, 1 those of programs that were loaded without "
                  "CAP_BPF, 2 everybody's")
      ->check(CLI::IsMember({"0", "1", "2"}))
      ->envname("SKEP_JIT_HARDEN")
      ->capture_default_str()
      ->type_name("LEVEL");
  command
      .add_flag("--jit-retpolines", options.retpolines,
                "no indirect jump in compiled code that a processor could guess")
      ->envname("SKEP_JIT_RETPOLINES");
  command.add_option("--jit-tools", options.tools, "who is told of compiled code, a list; " + known_tools())
      ->check(check_tools)
      ->envname("SKEP_JIT_TOOLS")
      ->type_name("LIST");
}

}  // namespace skep::cli
