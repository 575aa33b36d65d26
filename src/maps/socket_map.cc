#include "maps/socket_map.h"

#include "base/errno.h"

namespace skep::maps {
namespace {

using spec::MapType;

int show_cookie(Reference found, std::size_t value_size, std::byte* value) noexcept {
  if (value_size < sizeof(std::uint64_t)) return -ENOSPC;
  if (found == Reference{}) return -ENOENT;
  store(value, cookie_of(found));
  return 0;
}

// What an array says when there is nothing to delete: in a slot, and where there is no slot.
struct Nothing {
  int slot, outside;
};
Nothing nothing_in(MapType type) noexcept {
  switch (type) {
    case MapType::Sockmap: return {-EINVAL, -EINVAL};
    case MapType::Xskmap: return {0, -EINVAL};
    default: return {-ENOENT, -E2BIG};
  }
}

}  // namespace

int SocketArray::erase(const std::byte* key) noexcept {
  const Nothing nothing = nothing_in(spec_.type);
  if (load<std::uint32_t>(key) >= spec_.max_entries) return nothing.outside;
  return ReferenceArray::set_reference(key, {}, spec::kAny, nullptr) == 0 ? 0 : nothing.slot;
}

int SocketArray::copy_value(const std::byte* key, std::byte* value, std::uint64_t flags) noexcept {
  if (flags != 0) return -EINVAL;
  return spec_.type == MapType::Xskmap ? -EOPNOTSUPP : show_cookie(reference(key), spec_.value_size, value);
}

int SocketArray::set_reference(const std::byte* key, Reference to, std::uint64_t flags, Reference* old) noexcept {
  if (flags > spec::kExist) return -EINVAL;
  if (load<std::uint32_t>(key) >= spec_.max_entries) return -E2BIG;
  const Reference was = reference(key);
  const bool is_same = spec_.type == MapType::Xskmap && was == to;  // which asks first
  if (flags == spec::kNoExist && was != Reference{} && !is_same) return -EEXIST;
  if (flags == spec::kExist && was == Reference{}) return -ENOENT;
  return ReferenceArray::set_reference(key, to, spec::kAny, old);
}

int SocketHash::copy_value(const std::byte* key, std::byte* value, std::uint64_t flags) noexcept {
  return flags != 0 ? -EINVAL : show_cookie(reference(key), spec_.value_size, value);
}

}  // namespace skep::maps
