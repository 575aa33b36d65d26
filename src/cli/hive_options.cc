#include "cli/hive_options.h"

#include <CLI/CLI.hpp>

namespace skep::cli {

hive::Options HiveOptions::options() const {
  hive::Options made;
  made.engine = engine == "jit" ? hive::Engine::Jit : engine == "interp" ? hive::Engine::Interp : hive::Engine::Checked;
  made.verification = unverified ? hive::Verification::Skipped : hive::Verification::Required;
  made.unprivileged = unprivileged_bpf == "on";
  jit.apply(made);
  return made;
}

void add_hive_options(CLI::App& command, HiveOptions& options) {
  command.add_option("--engine", options.engine, "what its programs run on: checked, interp or jit")
      ->check(CLI::IsMember({"checked", "interp", "jit"}))
      ->envname("SKEP_ENGINE")
      ->capture_default_str();
  command.add_flag(
      "--verified,!--unverified", [&options](std::int64_t n) { options.unverified = n < 0; },
      "whether its programs are verified before they run; those that are not run with every access "
      "checked");
  command
      .add_option("--unprivileged-bpf", options.unprivileged_bpf,
                  "whether threads without CAP_BPF may load socket filters: on or off")
      ->check(CLI::IsMember({"on", "off"}))
      ->envname("SKEP_UNPRIVILEGED_BPF")
      ->capture_default_str();
  add_jit_options(command, options.jit);
}

}  // namespace skep::cli
