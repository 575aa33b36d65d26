// What a list of a hive's maps says of each: bpf(2)'s information, and what else is in a map's fdinfo. A flat
// structure, which goes over the wire.
#pragma once

#include <cstdint>

#include "spec/info.h"

namespace skep::hive {

struct ListedMap {
  spec::MapInfo info;
  std::uint64_t memory_bytes;  // that it takes now
  std::uint32_t is_frozen;
  std::uint32_t reserved;
};
static_assert(sizeof(ListedMap) == 104);

}  // namespace skep::hive
