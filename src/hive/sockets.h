// Sockets in maps: which may be in which, and whether they are still there.
//
// Like the kernel's, a map keeps no socket open: who closes his last descriptor takes it out of all maps. Nobody tells
// a hive, so each slot's socket is looked up when somebody asks for it: by what its ends are called and its cookie,
// which the kernel's socket diagnosis (sock_diag(7)) answers for this network namespace. What it cannot say, for want
// of the module or for a family without it (AF_XDP), counts as open. Cost: a few microseconds an element. Tested by:
// hive/socket_map_test.cc, fuzz/map_judge.
#pragma once

#include "hive/request.h"

namespace skep::hive {

bool holds_sockets(const MapObject& map) noexcept;

// Both: 0 or a negative errno. `value` starts with the caller's descriptor, of 4 bytes or 8.
int write_socket(Request& request, MapObject& map, const std::byte* key, const std::byte* value,
                 std::uint64_t flags) noexcept;
int delete_socket(State& hive, MapObject& map, const std::byte* key) noexcept;
// Before an element is read: takes the socket out if it was closed.
void drop_closed_socket(State& hive, MapObject& map, const std::byte* key) noexcept;
// The same for all elements, where keys are no indices: before the first of them is asked for.
void drop_closed_sockets(State& hive, MapObject& map) noexcept;

}  // namespace skep::hive
