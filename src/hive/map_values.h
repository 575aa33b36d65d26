// Values as bpf(2) moves them: plain bytes, or descriptors and ids of other objects.
#pragma once

#include "hive/request.h"

namespace skep::hive {

// Both: 0 or a negative errno. `value` has syscall_value_size() bytes.
// Where values are descriptors of the caller, the object behind it is what the map then holds. What programs' helpers
// own in a value is cleared in `value` first.
int write_value(Request& request, MapObject& map, const std::byte* key, std::byte* value, std::uint64_t flags) noexcept;
int delete_value(State& hive, MapObject& map, const std::byte* key) noexcept;

// Whether the owner rule of a prog array (and of dev and cpu maps) lets this program near the map. The first one
// decides for all.
bool compatible(MapObject& map, const ProgObject& program) noexcept;

}  // namespace skep::hive
