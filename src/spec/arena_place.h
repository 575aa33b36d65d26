// Where the pages of an arena are, here and for users, and what that makes of addresses. Source: the observable
// behaviour of BPF_MAP_TYPE_ARENA and addr_space_cast, Linux 6.12. Tested by: maps/arena_map_test.cc.
#pragma once

#include <cstddef>
#include <cstdint>

namespace skep::spec {

struct ArenaPlace {
  std::byte* pages = nullptr;  // in this process
  std::uint64_t bytes = 0;     // 4 GiB at most
  std::uint64_t users = 0;     // their address of the first page; 0: nobody has said it yet

  // Of a user's address, or the lower half of one: at least `bytes` where it is none in there.
  std::uint64_t offset_of(std::uint64_t address) const noexcept {
    return static_cast<std::uint32_t>(address) - first_half();
  }
  // The whole of a user's address whose lower half this is; 0 is NULL.
  std::uint64_t user_address_of(std::uint32_t half) const noexcept {
    return half == 0 ? 0 : std::uint64_t{(half < first_half() && crosses()) + upper_half()} << 32 | half;
  }
  // Where users have it, in halves, and whether its pages have addresses on both sides of a border of 4 GiB.
  std::uint32_t first_half() const noexcept { return static_cast<std::uint32_t>(users); }
  std::uint32_t upper_half() const noexcept { return static_cast<std::uint32_t>(users >> 32); }
  bool crosses() const noexcept { return first_half() + bytes - 1 > UINT32_MAX; }
};

}  // namespace skep::spec
