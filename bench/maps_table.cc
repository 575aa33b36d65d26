#include "maps_table.h"

namespace skep::bench {

std::vector<MapCase> map_cases() {
  std::vector<MapCase> cases;
#define CASE(name, source, type, key_bytes, value_bytes, entries) \
  cases.push_back({#name, #source, key_bytes, value_bytes, entries, {}, {}});
#define ROW(program, operations, fill, bar) cases.back().rows.push_back({#program, operations, Fill::fill, bar});
#define THREADS(program, bar) cases.back().threads.push_back({#program, bar});
#define MEMORY(limit) cases.back().memory = MemoryLimit::limit;
#include "map_programs/cases.def"
#undef CASE
#undef ROW
#undef THREADS
#undef MEMORY
  return cases;
}

std::string object_path(const MapCase& map) {
  return std::string(BENCH_OBJECTS "/map-").append(map.name).append(".bpf.o");
}

}  // namespace skep::bench
