#include "maps/empty_map.h"

#include "base/errno.h"
#include "maps/domain.h"
#include "maps/kinds.h"

namespace skep::maps {

using spec::MapType;

// What a type says of an element that is not there. Errors are positive here.
struct EmptyMap::Answers {
  MapType type;
  bool indexed;  // keys are indices, all of which next_key() gives
  int lookup;
  int update;
  int erase;
  int erase_outside;  // of an index that is too large
  int next;           // where keys are no indices
  int take = kNotSupported;
};

const EmptyMap::Answers& EmptyMap::answers_of(MapType type) noexcept {
  static constexpr Answers kAnswers[] = {
      // type                       indexed lookup       update         erase       outside     next
      {MapType::StackTrace, false, ENOENT, EINVAL, ENOENT, E2BIG, ENOENT, ENOENT},
      {MapType::CgroupStorage, false, ENOENT, ENOENT, EINVAL, EINVAL, ENOENT},
      {MapType::PercpuCgroupStorage, false, ENOENT, ENOENT, EINVAL, EINVAL, ENOENT},
      {MapType::StructOps, false, ENOENT, EOPNOTSUPP, EINVAL, EINVAL, ENOENT},
      {MapType::UserRingbuf, false, kNotSupported, kNotSupported, kNotSupported, kNotSupported, kNotSupported},
      {MapType::Arena, false, EINVAL, EOPNOTSUPP, EOPNOTSUPP, EOPNOTSUPP, EOPNOTSUPP},
  };
  for (const Answers& row : kAnswers)
    if (row.type == type) return row;
  __builtin_trap();  // a row of kinds.def without one here
}

namespace {

std::size_t pages_of(const spec::MapSpec& spec) noexcept {
  return spec.type == MapType::Arena ? std::size_t{spec.max_entries} * kPageSize : 0;
}

bool by_fd_or_cookie(const spec::MapSpec& spec) noexcept {
  return find_kind(spec.type)->value == ValueRule::FdOrCookie;
}

}  // namespace

// Users' mappings of an arena begin at offset 0, so its header is behind the pages, which come when they are touched.
Result<Plan> EmptyMap::plan(const spec::MapSpec& spec, unsigned) {
  return Plan{.header_at = pages_of(spec), .bytes = pages_of(spec) + kPageSize, .resident = 0};
}

EmptyMap::EmptyMap(Parts&& parts) : Map(std::move(parts)), answers_(answers_of(spec_.type)) {}

bool EmptyMap::outside(const std::byte* key) const noexcept {
  return find_kind(spec_.type)->key == KeyRule::Index && load<std::uint32_t>(key) >= spec_.max_entries;
}

int EmptyMap::update(const std::byte* key, const std::byte*, std::uint64_t flags, unsigned) noexcept {
  const bool must_exist = answers_.update == ENOENT;  // elements come with what they belong to
  if (flags > spec::kExist || (must_exist && flags == spec::kNoExist)) return -EINVAL;
  return outside(key) && answers_.update == EOPNOTSUPP ? -E2BIG : -answers_.update;
}

int EmptyMap::erase(const std::byte* key) noexcept { return outside(key) ? -answers_.erase_outside : -answers_.erase; }

std::size_t EmptyMap::syscall_value_size() const noexcept {
  return find_kind(spec_.type)->has(kPerCpu) ? round_up(spec_.value_size, 8) * domain_.cpus() : spec_.value_size;
}

int EmptyMap::copy_value(const std::byte*, std::byte*, std::uint64_t flags) noexcept {
  if (flags != 0) return -EINVAL;
  if (by_fd_or_cookie(spec_) && spec_.value_size < sizeof(std::uint64_t)) return -ENOSPC;  // no room for the cookie
  return -answers_.lookup;
}

int EmptyMap::take(const std::byte*, std::byte*, std::uint64_t) noexcept { return -answers_.take; }

int EmptyMap::next_key(const std::byte* key, std::byte* next) noexcept {
  if (!answers_.indexed) return -answers_.next;
  const std::uint32_t at = key == nullptr ? UINT32_MAX : load<std::uint32_t>(key);
  if (at < spec_.max_entries && at + 1 == spec_.max_entries) return -ENOENT;
  store(next, at < spec_.max_entries ? at + 1 : 0);
  return 0;
}

std::size_t EmptyMap::mmap_bytes() const noexcept { return pages_of(spec_); }

}  // namespace skep::maps
