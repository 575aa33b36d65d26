// What bpf(2) means by an errno of an element command, in words: what was expected, and what to do.
// Tested by: tests/map_command.
#pragma once

#include "cli/exit_codes.h"
#include "cli/live_map.h"

namespace skep::cli {

enum class Doing : std::uint8_t { Lookup, Next, Update, Delete, Push, Pop, Peek, Freeze };

struct Attempt {
  Doing doing;
  std::uint64_t flags = 0;  // of an update
  Bytes key = {};
};
// `result` is the negative errno.
Failure element_failure(const LiveMap& map, const Attempt& attempt, long result);

}  // namespace skep::cli
