// Whose descriptor the key of a storage map is: the task, socket, inode or cgroup that the element belongs to.
//
// An owner is named by what is never given to another one: a task by its number and when it started, a socket by its
// cookie, an inode by its file system and number (files made and removed in turn may share one), a cgroup by its id.
// Nobody tells a hive that an owner has gone. Its element cannot be reached any more, but takes room: that of tasks is
// given back when room is short (drop_gone()), that of others with the map. Tested by: hive/storage_map_test.cc,
// fuzz/map_judge.
#pragma once

#include "hive/request.h"
#include "maps/kinds.h"

namespace skep::hive {

// Whether the map's elements belong to somebody; the descriptors in keys then stand for owners.
bool is_owned(const MapObject& map) noexcept;
// Bytes of a key as the map takes it.
std::size_t key_bytes(const MapObject& map) noexcept;
// Puts the owner in the place of the descriptor at the start of `key`. 0, or a negative errno: -EBADF, -ENOTSOCK, and
// -ENOENT for an owner that has gone.
int find_owner(Request& request, const MapObject& map, Buffer& key) noexcept;
// Whether `fd` is a cgroup of the second version, as arrays of cgroups want it: 0, -EBADF or -ENOENT.
int check_cgroup(int fd) noexcept;
// Removes elements whose owners are known to have gone. False: there were none.
bool drop_gone(MapObject& map) noexcept;

}  // namespace skep::hive
