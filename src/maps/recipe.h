// Where the elements of arrays lie, for engines that find them without a call: a map's inline recipe.
//
// Element i of CPU c is at base + i * stride + c * per_cpu, for i below `entries`, as lookup() would say, while the map
// lives. Tested by: maps/array_map_test.cc.
#pragma once

#include <cstdint>
#include <optional>

namespace skep::maps {

class Map;

struct Recipe {
  const Map* map = nullptr;
  std::uint64_t base = 0;
  std::uint32_t entries = 0;
  std::uint64_t stride = 0;
  std::uint64_t per_cpu = 0;  // 0: all CPUs share the elements
};

// Nothing where elements must be looked up.
std::optional<Recipe> recipe(const Map& map) noexcept;

}  // namespace skep::maps
