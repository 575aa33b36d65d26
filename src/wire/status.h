// What the host of a hive says of itself.
#pragma once

#include <cstdint>

namespace skep::wire {

struct Status {
  std::uint32_t pid = 0;
  std::uint32_t clients = 0;      // connections, the asker's with them
  std::uint32_t maps = 0, programs = 0, btfs = 0, links = 0;
  std::uint64_t memory_bytes = 0;  // resident, maps and programs with the rest
  std::uint64_t calls = 0;         // bpf(2) calls answered
  std::uint64_t seconds = 0;       // since it started
};

}  // namespace skep::wire
