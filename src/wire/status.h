// What the host of a hive says of itself and of a map.
#pragma once

#include <cstdint>

#include "btf/record.h"

namespace skep::wire {

struct Status {
  std::uint32_t pid = 0;
  std::uint32_t clients = 0;  // connections, the asker's with them
  std::uint32_t maps = 0, programs = 0, btfs = 0, links = 0;
  std::uint64_t memory_bytes = 0;  // resident, maps and programs with the rest
  std::uint64_t calls = 0;         // bpf(2) calls answered
  std::uint64_t seconds = 0;       // since it started
};

// What a client needs to know to work on a map's memory.
struct SharedMap {
  struct Field {
    std::uint32_t offset, bytes, is_lock;
  };
  std::uint64_t hive;  // a random number, of this host
  std::uint64_t extra;
  std::uint32_t type, key_size, value_size, max_entries, flags;
  std::uint32_t fields;
  Field field[btf::kMaxSpecialFields];
};

}  // namespace skep::wire
