// Values that are other objects: what a word of the command line names, as the descriptor or number that bpf(2) takes.
// Tested by: tests/map_command.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "cli/live_map.h"

namespace skep::cli {

struct ObjectValue {
  bool is_object = false;        // else the map's values are plain
  std::vector<std::byte> bytes;  // of update_bytes()
  Fd object;                     // what the bytes name, kept open
};

// The value of a map that holds maps, programs, cgroups or interfaces; `words` name it. Usage, Absent, Unavailable.
Expected<ObjectValue> object_value(const LiveMap& map, std::span<const std::string> words);

}  // namespace skep::cli
