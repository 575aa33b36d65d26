// STRUCT_OPS as far as a hive has it: a structure of functions that nobody has given to the kernel yet. Its one element
// is there and reads as zeros, as the kernel's does in that state; it cannot be taken back, and giving it is refused by
// the kernel's rules first and then because a hive has nothing that would call it (-EOPNOTSUPP). Tested by:
// hive/map_create_test.cc, which asks the kernel as well.
#pragma once

#include "maps/empty_map.h"

namespace skep::maps {

class StructMap final : public EmptyMap {
 public:
  using EmptyMap::EmptyMap;

  int update(const std::byte* key, const std::byte* value, std::uint64_t flags, unsigned cpu) noexcept override;
  int erase(const std::byte* key) noexcept override;
  int copy_value(const std::byte* key, std::byte* value, std::uint64_t flags) noexcept override;
  int next_key(const std::byte* key, std::byte* next) noexcept override;
};

}  // namespace skep::maps
