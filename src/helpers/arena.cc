// Pages of an arena, given to programs and taken back.
#include "helpers/subjects.h"
#include "maps/arena_map.h"

namespace skep::helpers {
namespace {

// The users' address of the pages; 0: there are none. Whichever node of memory is asked for, they come where they are
// touched.
std::uint64_t bpf_arena_alloc_pages(Call&, maps::Map& map, std::uint64_t address, std::uint32_t count,
                                    std::int32_t /*node*/, std::uint64_t flags) noexcept {
  maps::ArenaMap* const arena = map.arena();
  return arena == nullptr || flags != 0 ? 0 : arena->allocate(address, count);
}

void bpf_arena_free_pages(Call&, maps::Map& map, std::uint64_t address, std::uint32_t count) noexcept {
  if (maps::ArenaMap* const arena = map.arena(); arena != nullptr && count != 0) arena->release(address, count);
}

}  // namespace

std::span<const KfuncBinding> arena_bindings() noexcept {
  static constexpr KfuncBinding rows[] = {SKEP_BIND_KFUNC(bpf_arena_alloc_pages),
                                          SKEP_BIND_KFUNC(bpf_arena_free_pages)};
  return rows;
}

}  // namespace skep::helpers
