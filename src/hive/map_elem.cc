// The element commands. No lock is held while the map works; the map does its own.
#include "hive/btf_use.h"
#include "hive/map_values.h"
#include "hive/request.h"

namespace skep::hive {
namespace {

using spec::AttrElem;

bool may_read(const Found<MapObject>& found) noexcept { return found.access != Access::WriteOnly; }
bool may_write(const Found<MapObject>& found) noexcept {
  return found.access != Access::ReadOnly && !found.object->map->frozen();
}
bool lock_without_lock(const MapObject& map, std::uint64_t flags) noexcept {
  return (flags & spec::kLock) != 0 && !has_spin_lock(map);
}

Found<MapObject> map_of(Request& request) noexcept {
  return find_map(request.hive, request.caller, static_cast<int>(request.attr.elem.map_fd));
}

}  // namespace

int read_key(Request& request, const maps::Map& map, std::uint64_t address, Buffer& key) noexcept {
  if (map.spec().key_size == 0) return address == 0 ? 0 : EINVAL;
  if (!key.ok()) return ENOMEM;
  return request.caller.copy_in(address, key.bytes()) ? 0 : EFAULT;
}

long map_lookup_elem(Request& request) {
  const AttrElem& attr = request.attr.elem;
  if ((attr.flags & ~std::uint64_t{spec::kLock}) != 0) return -EINVAL;
  const Found<MapObject> found = map_of(request);
  if (!found.object) return -found.error;
  if (!may_read(found)) return -EPERM;
  if (lock_without_lock(*found.object, attr.flags)) return -EINVAL;
  maps::Map& map = *found.object->map;
  Buffer key(map.spec().key_size);
  if (const int error = read_key(request, map, attr.key, key); error != 0) return -error;
  Buffer value(map.syscall_value_size());
  if (!value.ok()) return -ENOMEM;
  if (map.spec().type == spec::MapType::BloomFilter && !request.caller.copy_in(attr.value, value.bytes()))
    return -EFAULT;
  if (const int error = read_value(*found.object, key.data(), value.data(), attr.flags); error != 0) return error;
  return request.caller.copy_out(attr.value, value.bytes()) ? 0 : -EFAULT;
}

long map_update_elem(Request& request) {
  const AttrElem& attr = request.attr.elem;
  const Found<MapObject> found = map_of(request);
  if (!found.object) return -found.error;
  if (!may_write(found)) return -EPERM;
  if (lock_without_lock(*found.object, attr.flags)) return -EINVAL;
  maps::Map& map = *found.object->map;
  Buffer key(map.spec().key_size);
  if (const int error = read_key(request, map, attr.key, key); error != 0) return -error;
  Buffer value(map.syscall_value_size());
  if (!value.ok()) return -ENOMEM;
  if (!request.caller.copy_in(attr.value, value.bytes())) return -EFAULT;
  return write_value(request, *found.object, key.data(), value.data(), attr.flags);
}

long map_delete_elem(Request& request) {
  const Found<MapObject> found = map_of(request);
  if (!found.object) return -found.error;
  if (!may_write(found)) return -EPERM;
  maps::Map& map = *found.object->map;
  Buffer key(map.spec().key_size);
  if (const int error = read_key(request, map, request.attr.elem.key, key); error != 0) return -error;
  return delete_value(request.hive, *found.object, key.data());
}

long map_get_next_key(Request& request) {
  const AttrElem& attr = request.attr.elem;
  const Found<MapObject> found = map_of(request);
  if (!found.object) return -found.error;
  if (!may_read(found)) return -EPERM;
  maps::Map& map = *found.object->map;
  Buffer key(map.spec().key_size);
  if (attr.key != 0)
    if (const int error = read_key(request, map, attr.key, key); error != 0) return -error;
  Buffer next(map.spec().key_size);
  if (!next.ok()) return -ENOMEM;
  if (const int error = map.next_key(attr.key != 0 ? key.data() : nullptr, next.data()); error != 0) return error;
  return request.caller.copy_out(attr.next_key, next.bytes()) ? 0 : -EFAULT;
}

long map_lookup_and_delete_elem(Request& request) {
  const AttrElem& attr = request.attr.elem;
  if ((attr.flags & ~std::uint64_t{spec::kLock}) != 0) return -EINVAL;
  const Found<MapObject> found = map_of(request);
  if (!found.object) return -found.error;
  if (!may_read(found) || !may_write(found)) return -EPERM;
  maps::Map& map = *found.object->map;
  const bool keyless = map.spec().type == spec::MapType::Queue || map.spec().type == spec::MapType::Stack;
  if (attr.flags != 0 && (keyless || lock_without_lock(*found.object, attr.flags))) return -EINVAL;
  Buffer key(map.spec().key_size);
  if (const int error = read_key(request, map, attr.key, key); error != 0) return -error;
  Buffer value(map.syscall_value_size());
  if (!value.ok()) return -ENOMEM;
  if (const int error = take_value(*found.object, key.data(), value.data(), attr.flags); error != 0) return error;
  return request.caller.copy_out(attr.value, value.bytes()) ? 0 : -EFAULT;
}

}  // namespace skep::hive
