#include "hive/map_handle.h"

#include "hive/btf_use.h"
#include "hive/map_values.h"
#include "maps/kinds.h"

namespace skep::hive {
namespace {

// Maps whose elements are bytes, and not other objects or records.
bool has_plain_elements(const maps::Kind& kind) noexcept {
  using enum maps::Family;
  const bool objects = kind.has(maps::kReferences) || kind.family == Device || kind.family == Cpu ||
                       kind.family == Socket || kind.family == Trace;
  return !objects && kind.family != Ring && kind.family != Arena && kind.family != Storage && kind.family != Struct;
}

}  // namespace

Result<std::unique_ptr<MapHandle>> MapHandle::open(const Hive& hive, int fd) {
  LocalCaller here;
  Found<MapObject> found = find_map(*hive.state_, here, fd);
  if (!found.object) return fail(found.error, "descriptor " + std::to_string(fd) + " is no map of this hive");
  const spec::MapSpec& spec = found.object->map->spec();
  if (!has_plain_elements(*maps::find_kind(spec.type))) {
    return fail(EOPNOTSUPP, "map " + spec.name + " is of type " + std::string(spec::name(spec.type)) +
                                ", whose elements are no plain values: use bpf(2)");
  }
  return std::unique_ptr<MapHandle>(new MapHandle(hive.state_, std::move(found)));
}

MapHandle::MapHandle(std::shared_ptr<State> state, Found<MapObject> found) noexcept
    : state_(std::move(state)),
      object_(std::move(found.object)),
      map_(object_->map.get()),
      access_(found.access),
      plain_(object_->fields.empty()),
      keyless_(maps::find_kind(map_->spec().type)->has(maps::kKeyless)),
      value_bytes_(map_->syscall_value_size()) {}

int MapHandle::lookup(const std::byte* key, std::byte* value) noexcept {
  if (access_ == Access::WriteOnly) return -EPERM;
  if (keyless_) return map_->peek(value);
  return plain_ ? map_->copy_value(key, value, 0) : read_value(object_->elements(), key, value, 0);
}

int MapHandle::update(const std::byte* key, const std::byte* value, std::uint64_t flags) noexcept {
  if (!may_write()) return -EPERM;
  if ((flags & spec::kLock) != 0 && !has_spin_lock(*object_)) return -EINVAL;
  if (keyless_) return map_->push(value, flags);
  if (plain_) return map_->update_all(key, value, flags);
  Buffer copy(value_bytes_);
  if (!copy.ok()) return -ENOMEM;
  std::memcpy(copy.data(), value, value_bytes_);
  blank_special_fields(object_->elements(), copy.data());
  return map_->update_all(key, copy.data(), flags);
}

int MapHandle::erase(const std::byte* key) noexcept { return may_write() ? map_->erase(key) : -EPERM; }

int MapHandle::take(const std::byte* key, std::byte* value) noexcept {
  if (access_ == Access::WriteOnly || !may_write()) return -EPERM;
  return take_value(object_->elements(), key, value, 0);
}

int MapHandle::next_key(const std::byte* key, std::byte* next) noexcept {
  return access_ == Access::WriteOnly ? -EPERM : map_->next_key(key, next);
}

std::byte* MapHandle::value(const std::byte* key) noexcept {
  const bool given_away = plain_ && !keyless_ && access_ == Access::ReadWrite && !map_->frozen() &&
                          !maps::find_kind(map_->spec().type)->has(maps::kPerCpu);
  return given_away ? map_->lookup(key, 0) : nullptr;
}

}  // namespace skep::hive
