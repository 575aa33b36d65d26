#include "maps/struct_map.h"

#include <cerrno>
#include <cstring>

#include "base/bytes.h"

namespace skep::maps {
namespace {

std::uint32_t index(const std::byte* key) noexcept { return load<std::uint32_t>(key); }

}  // namespace

int StructMap::update(const std::byte* key, const std::byte* value, std::uint64_t flags, unsigned) noexcept {
  if (flags != 0) return -EINVAL;
  if (index(key) != 0) return -E2BIG;
  // What the kernel counts and notes for itself comes first: a reference count and a state of four bytes each.
  if (spec_.value_size >= 8 && load<std::uint64_t>(value) != 0) return -EINVAL;
  return -EOPNOTSUPP;
}

int StructMap::erase(const std::byte*) noexcept { return (spec_.flags & spec::kLink) != 0 ? -EOPNOTSUPP : -ENOENT; }

int StructMap::copy_value(const std::byte* key, std::byte* value, std::uint64_t flags) noexcept {
  if (flags != 0) return -EINVAL;
  if (index(key) != 0) return -ENOENT;
  std::memset(value, 0, spec_.value_size);
  return 0;
}

int StructMap::next_key(const std::byte* key, std::byte* next) noexcept {
  if (key != nullptr && index(key) == 0) return -ENOENT;
  store(next, std::uint32_t{0});
  return 0;
}

}  // namespace skep::maps
