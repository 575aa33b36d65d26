// What is in the maps of a loaded object, through bpf(2): for people, for --json and for comparing engines.
// Tested by: tests/cli.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "cli/map_file.h"
#include "loader/object.h"
#include "spec/attr.h"
#include "spec/types.h"

namespace skep::cli {

using BpfCall = std::function<long(int command, spec::Attr& attr)>;

// How a map type's elements are read.
enum class Elements : std::uint8_t {
  Values,      // key to value
  PerCpu,      // key to a value for each CPU
  References,  // key to another object: what is shown is that the slot is taken
  Records,     // a ring buffer's
  None,        // nothing that can be listed
};
Elements elements_of(std::uint32_t map_type) noexcept;
// CPUs in a value of this map as bpf(2) reads it; 0 for a single value.
unsigned value_cpus(std::uint32_t map_type);
MapShape shape_of(const loader::Map& map);

struct MapContents {
  MapShape shape;  // a ring buffer's value is a record; its type is what the reader is told, if anything
  Elements elements = Elements::None;
  std::vector<MapEntry> entries;                // sorted by key; references: the value is empty
  std::vector<std::vector<std::byte>> records;  // not yet consumed
};
Result<MapContents> read_map(const BpfCall& bpf, int fd, const loader::Map& map);

// Sentences about how two maps differ, at most `most`; empty when equal.
std::vector<std::string> differences(std::string_view name_a, const MapContents& a, std::string_view name_b,
                                     const MapContents& b, std::size_t most);

}  // namespace skep::cli
