#include "maps/empty_map.h"

#include <bit>

#include "base/errno.h"
#include "maps/domain.h"
#include "maps/kinds.h"

namespace skep::maps {

using spec::MapType;

// What a type says of an element that is not there. Errors are positive here.
struct EmptyMap::Answers {
  MapType type;
  int lookup;
  int update;
  int erase;
  int erase_outside;  // of an index that is too large
  int next;
};

const EmptyMap::Answers& EmptyMap::answers_of(MapType type) noexcept {
  static constexpr Answers kAnswers[] = {
      // type                        lookup  update  erase  outside  next
      {MapType::StackTrace, ENOENT, EINVAL, ENOENT, E2BIG, ENOENT},
      {MapType::CgroupStorage, ENOENT, ENOENT, EINVAL, EINVAL, ENOENT},
      {MapType::PercpuCgroupStorage, ENOENT, ENOENT, EINVAL, EINVAL, ENOENT},
      {MapType::StructOps, ENOENT, EOPNOTSUPP, ENOENT, ENOENT, ENOENT},  // but for its element: maps/struct_map.h
      {MapType::Arena, EINVAL, EOPNOTSUPP, EOPNOTSUPP, EOPNOTSUPP, EOPNOTSUPP},
  };
  for (const Answers& row : kAnswers)
    if (row.type == type) return row;
  __builtin_trap();  // a row of kinds.def without one here
}

Result<Plan> EmptyMap::plan(const spec::MapSpec&, unsigned) {
  return Plan{.header_at = 0, .bytes = kPageSize, .resident = 0};
}

EmptyMap::EmptyMap(Parts&& parts) : Map(std::move(parts)), answers_(answers_of(spec_.type)) {}

// Stacks are put where their hash says, so that there are a power of two of places.
bool EmptyMap::outside(const std::byte* key) const noexcept {
  const bool hashed = spec_.type == MapType::StackTrace;
  const std::uint64_t places = hashed ? std::bit_ceil(std::uint64_t{spec_.max_entries}) : spec_.max_entries;
  return find_kind(spec_.type)->key == KeyRule::Index && load<std::uint32_t>(key) >= places;
}

int EmptyMap::update(const std::byte*, const std::byte*, std::uint64_t flags, unsigned) noexcept {
  if (answers_.update != ENOENT) return -answers_.update;
  // Elements come with what they belong to.
  return (flags & ~std::uint64_t{spec::kExist | spec::kLock}) != 0 ? -EINVAL : -ENOENT;
}

int EmptyMap::erase(const std::byte* key) noexcept { return outside(key) ? -answers_.erase_outside : -answers_.erase; }

std::size_t EmptyMap::syscall_value_size() const noexcept {
  return find_kind(spec_.type)->has(kPerCpu) ? round_up(spec_.value_size, 8) * domain_.cpus() : spec_.value_size;
}

int EmptyMap::copy_value(const std::byte*, std::byte*, std::uint64_t flags) noexcept {
  const bool locks = flags == spec::kLock && value_lock_;
  return flags != 0 && !locks ? -EINVAL : -answers_.lookup;
}

int EmptyMap::next_key(const std::byte*, std::byte*) noexcept { return -answers_.next; }

}  // namespace skep::maps
