// What is in a map, through bpf(2): for people, for --json and for comparing engines.
//
// Elements are read in batches where the map's type has them, else key by key. A map that changes meanwhile may show
// what was there at different times, and an element that moved twice or not at all, as with any reader of bpf(2).
// Tested by: tests/cli.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "cli/bpf_call.h"
#include "cli/map_file.h"
#include "loader/object.h"
#include "spec/attr.h"
#include "spec/commands.h"
#include "spec/types.h"

namespace skep::cli {

// How a map type's elements are read.
enum class Elements : std::uint8_t {
  Values,      // key to value
  PerCpu,      // key to a value for each CPU
  References,  // key to another object's id
  Records,     // a ring buffer's
  Keyless,     // a queue, a stack: values that can be taken, not listed
  Members,     // a bloom filter: whether a value was put in
  None,        // nothing that can be listed
};
Elements elements_of(std::uint32_t map_type) noexcept;
// CPUs in a value of this map as bpf(2) reads it; 0 for a single value.
unsigned value_cpus(std::uint32_t map_type);
MapShape shape_of(const loader::Map& map);

struct MapContents {
  MapShape shape;  // a ring buffer's value is a record; its type is what the reader is told, if anything
  Elements elements = Elements::None;
  std::vector<MapEntry> entries;                // sorted by key
  std::vector<std::vector<std::byte>> records;  // not yet consumed
};
Result<MapContents> read_map(const BpfCall& bpf, int fd, const MapShape& map);

// Calls `visit` with each key and value (of map.update_bytes()) until it returns false. EOPNOTSUPP or ENOTSUPP: the
// elements of such a map cannot be read.
using Visit = std::function<bool(Bytes key, Bytes value)>;
Result<> for_each_element(const BpfCall& bpf, int fd, const MapShape& map, const Visit& visit);

// bpf(2) on one element; `value` may be null where the command has none. A value or a negative errno.
long element_call(const BpfCall& bpf, spec::Command command, int fd, const std::byte* key, std::byte* value,
                  std::uint64_t flags = 0);

// Sentences about how two maps differ, at most `most`; empty when equal.
std::vector<std::string> differences(std::string_view name_a, const MapContents& a, std::string_view name_b,
                                     const MapContents& b, std::size_t most);

}  // namespace skep::cli
