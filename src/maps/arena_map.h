// ARENA: pages that programs and users share, and whose addresses are the users'.
//
// The pages come first in the region, so that users map them at offset 0; behind the header is a bit for each that was
// given to somebody: by allocate(), which is bpf_arena_alloc_pages(), or by a user who touched it, which is seen when
// allocate() comes by. The lowest free pages are given. Pages that are given back lose their content, and a program
// that still reads them does not have them again: of those only what was written to is somebody's.
//
// Where users have the pages is said once, by map_extra or by whoever sees the first mapping; programs are not loaded
// before. Programs take any number for an address in it: its lower half, less that of the users' address, is where in
// the pages it is (spec/arena_place.h), and beyond their end is nothing. Unlike in Linux a page that nobody was given
// can be written all the same (docs/differences.md). Elements: maps/empty_map.h. Tested by: maps/arena_map_test.cc.
#pragma once

#include "maps/empty_map.h"
#include "spec/arena_place.h"

namespace skep::maps {

class ArenaMap final : public EmptyMap {
 public:
  static Result<Plan> plan(const spec::MapSpec& spec, unsigned cpus);
  explicit ArenaMap(Parts&& parts);

  // Users' address: 0 while nobody has said it.
  spec::ArenaPlace place() const noexcept {
    return {region_.data(), std::uint64_t{spec_.max_entries} * kPageSize, users()};
  }
  // False: it is another already.
  bool set_users(std::uint64_t address) noexcept;

  // The user's address of `count` pages that were free: those at `address`, or any for 0. 0: there are none.
  std::uint64_t allocate(std::uint64_t address, std::uint32_t count) noexcept;
  // Those of the `count` pages from `address` that are in here.
  void release(std::uint64_t address, std::uint32_t count) noexcept;

  std::size_t mmap_bytes() const noexcept override { return place().bytes; }
  // What BPF_PSEUDO_MAP_VALUE gives: the users' address.
  std::byte* direct_value() noexcept override { return reinterpret_cast<std::byte*>(users()); }
  ArenaMap* arena() noexcept override { return this; }

 private:
  struct State {  // in Header::kind
    std::uint64_t users;
    std::uint32_t lock;
    std::uint32_t lowest;  // no page below is free
  };
  std::uint64_t users() const noexcept;
  State& state() const noexcept { return *reinterpret_cast<State*>(region_.header().kind); }
  struct Bits {  // of 64 pages
    std::uint64_t given;
    std::uint64_t given_back;  // once
  };
  Bits& bits_of(std::uint32_t page) const noexcept;
  bool is_given(std::uint32_t page) const noexcept;
  bool is_only_read(std::uint32_t page) const noexcept;
  void give(std::uint32_t page) noexcept;
  void give_back(std::uint32_t page) noexcept;
  std::uint32_t first_touched(std::uint32_t page, std::uint32_t end) noexcept;
  std::uint32_t first_given(std::uint32_t page, std::uint32_t end) noexcept;
  bool is_free(std::uint64_t page, std::uint32_t count) noexcept;
  std::uint32_t find_free(std::uint32_t count) noexcept;

  Fd contents_;  // another description of the memory file, whose position is of no account
};

}  // namespace skep::maps
