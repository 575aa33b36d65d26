// Values as bpf(2) moves them: plain bytes, or descriptors and ids of other objects.
#pragma once

#include "hive/request.h"

namespace skep::hive {

// The key at `address` into `key`, which has the map's key_size; a map without keys wants a null address. 0 or a
// positive errno.
int read_key(Request& request, const maps::Map& map, std::uint64_t address, Buffer& key) noexcept;

// All below: 0 or a negative errno. `value` has syscall_value_size() bytes.
int read_value(MapObject& map, const std::byte* key, std::byte* value, std::uint64_t flags) noexcept;
int take_value(MapObject& map, const std::byte* key, std::byte* value, std::uint64_t flags) noexcept;
// Where values are descriptors of the caller, the object behind it is what the map then holds. What programs' helpers
// own in a value is cleared in `value` first.
int write_value(Request& request, MapObject& map, const std::byte* key, std::byte* value, std::uint64_t flags) noexcept;
int delete_value(State& hive, MapObject& map, const std::byte* key) noexcept;

// Whether the owner rule of a prog array (and of dev and cpu maps) lets this program near the map. The first one
// decides for all.
bool compatible(MapObject& map, const ProgObject& program) noexcept;

}  // namespace skep::hive
