// Iterators: links whose programs are called with each object of a kind, and write text about it.
//
// hive/iterators.def has those of a hive; the kernel's others (tasks, sockets, ...) go through what a hive has not.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "hive/request.h"

namespace skep::hive {

enum class Iterated : std::uint8_t { Maps, Programs, Links, Elements, Symbols };

struct Iterator {
  std::string_view name;
  Iterated what;
};

// The iterator that the program was loaded for; null where a hive has none.
const Iterator* iterator_of(State& hive, const ProgObject& program) noexcept;

// Whether the program reads and writes no more of keys and values than the map's have: 0 or -EACCES. And whether such
// maps are iterated at all: -EINVAL.
int check_elements(const ProgObject& program, const MapObject& map) noexcept;

}  // namespace skep::hive
