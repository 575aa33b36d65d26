// The numbers of the bpf(2) ABI as strong types. Each enumeration is generated from its .def table,
// which is the only place that lists them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace skep::spec {

enum class MapType : std::uint32_t {
  Unspec = 0,
#define MAP_TYPE(id, Name, text) Name = id,
#include "spec/map_types.def"
#undef MAP_TYPE
};

enum class ProgType : std::uint32_t {
  Unspec = 0,
#define PROG_TYPE(id, Name, text) Name = id,
#include "spec/prog_types.def"
#undef PROG_TYPE
};

std::string_view name(MapType type) noexcept;   // "lru_hash"; "unknown" when out of range
std::string_view name(ProgType type) noexcept;  // "xdp"; "unknown" when out of range
std::optional<MapType> map_type(std::uint32_t number) noexcept;
std::optional<ProgType> prog_type(std::uint32_t number) noexcept;
std::optional<MapType> map_type(std::string_view text) noexcept;
std::optional<ProgType> prog_type(std::string_view text) noexcept;

// Ids of hive objects. 0 is no object.
enum class MapId : std::uint32_t { None = 0 };
enum class ProgId : std::uint32_t { None = 0 };
enum class BtfId : std::uint32_t { None = 0 };

}  // namespace skep::spec
