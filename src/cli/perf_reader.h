// The records that programs send to a perf event array: an event for each CPU, put into the map, and its ring.
//
// The kernel's perf_event_open(2); in a hive, who receives records is its host's business, and nobody does yet.
// Tested by: tests/map_command.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/bytes.h"
#include "cli/exit_codes.h"
#include "cli/live_map.h"
#include "cli/perf_ring.h"

namespace skep::cli {

class PerfReader {
 public:
  // Opens an event on each CPU there is and writes them into the map. Unavailable, Refused.
  static Expected<PerfReader> open(const LiveMap& map);

  struct Record {
    unsigned cpu = 0;
    Bytes data;              // with up to 7 bytes behind it that pad it
    std::uint64_t lost = 0;  // not 0: so many were lost here, and there is no data
  };
  // Takes what is there until `visit` returns false. How many were visited.
  std::size_t read(const std::function<bool(const Record& record)>& visit);

 private:
  PerfReader() = default;
  struct Ring {
    unsigned cpu = 0;
    PerfRing ring;
  };
  std::vector<Ring> rings_;
};

}  // namespace skep::cli
