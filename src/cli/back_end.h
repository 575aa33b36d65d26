// Whose bpf(2) a command speaks to: the kernel's, a named hive's, or whatever answers in this process.
//
// Without an option it is the `syscall` that libc offers: the kernel's bpf(2), or a hive's when the tool was started by
// `skep exec`. Tested by: tests/map_command.
#pragma once

#include <CLI/App.hpp>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/bpf_call.h"
#include "cli/exit_codes.h"
#include "hive/listed_map.h"

namespace skep::cli {

inline constexpr const char* kPins = "/sys/fs/bpf";

// All maps at once, where a hive answers that can say so.
using ListMaps = std::function<Result<std::vector<hive::ListedMap>>()>;

struct BackEnd {
  BpfCall bpf;
  ListMaps list_maps = {};  // empty: by bpf(2), one after the other
  std::string pins;         // the folder of this machine for which its /sys/fs/bpf stands
};

struct BackEndOptions {
  bool kernel = false;
  std::string hive;  // --hive NAME
  BackEnd given;     // of the Program: used when the options say nothing
};
void add_back_end_options(CLI::App& command, BackEndOptions& options);

// Errors: Unavailable, and what to do.
Expected<BackEnd> open_back_end(const BackEndOptions& options);

}  // namespace skep::cli
