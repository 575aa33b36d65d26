// The numbers of the bpf(2) ABI as strong types. Each enumeration is generated from its .def table,
// which is the only place that lists them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace skep::spec {

enum class MapType : std::uint32_t {
  Unspec = 0,
#define MAP_TYPE_ROW(id, Name, text) Name = id,
#include "spec/map_types.def"
#undef MAP_TYPE_ROW
};

enum class ProgType : std::uint32_t {
  Unspec = 0,
#define PROG_TYPE_ROW(id, Name, text) Name = id,
#include "spec/prog_types.def"
#undef PROG_TYPE_ROW
};

// Where a program is attached. 0 is also what programs without an attach type say.
enum class AttachType : std::uint32_t {
#define ATTACH_TYPE(id, Name, text) Name = id,
#include "spec/attach_types.def"
#undef ATTACH_TYPE
};

enum class LinkType : std::uint32_t {
  Unspec = 0,
#define LINK_TYPE(id, Name, text) Name = id,
#include "spec/link_types.def"
#undef LINK_TYPE
};

std::string_view name(MapType type) noexcept;   // "lru_hash"; "unknown" when out of range
std::string_view name(ProgType type) noexcept;  // "xdp"; "unknown" when out of range
std::string_view name(AttachType type) noexcept;
std::string_view name(LinkType type) noexcept;
std::optional<MapType> map_type(std::uint32_t number) noexcept;
std::optional<ProgType> prog_type(std::uint32_t number) noexcept;
std::optional<MapType> map_type(std::string_view text) noexcept;
std::optional<ProgType> prog_type(std::string_view text) noexcept;
std::optional<AttachType> attach_type(std::uint32_t number) noexcept;
std::optional<AttachType> attach_type(std::string_view text) noexcept;
std::optional<LinkType> link_type(std::uint32_t number) noexcept;

// Ids of hive objects. 0 is no object.
enum class MapId : std::uint32_t { None = 0 };
enum class ProgId : std::uint32_t { None = 0 };
enum class BtfId : std::uint32_t { None = 0 };

}  // namespace skep::spec
