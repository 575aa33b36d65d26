// The rows of map_programs/cases.def, as data.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace skep::bench {

enum class Fill : std::uint8_t { Half, Full, Both };

struct MapRow {
  std::string_view program;
  double operations;  // a run
  Fill fill;
  double bar;  // our time / the kernel's, at most
};
struct ThreadsRow {
  std::string_view program;
  double bar;  // two threads' work / one's, at least
};
enum class MemoryLimit : std::uint8_t {
  None,           // not asked
  KeyValueAnd16,  // 1.15 x (key + value + 16)
  AsKernel,
};

struct MapCase {
  std::string_view name, source;
  std::uint32_t key_bytes, value_bytes, entries;
  std::vector<MapRow> rows;
  std::vector<ThreadsRow> threads;
  MemoryLimit memory = MemoryLimit::None;
};

std::vector<MapCase> map_cases();
// The file that clang made for it.
std::string object_path(const MapCase& map);

}  // namespace skep::bench
