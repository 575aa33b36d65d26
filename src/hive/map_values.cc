#include "hive/map_values.h"

#include <net/if.h>

#include "base/cpus.h"
#include "base/errno.h"
#include "hive/btf_use.h"
#include "hive/extension.h"
#include "hive/owners.h"
#include "hive/sockets.h"
#include "maps/kinds.h"

namespace skep::hive {
namespace {

using maps::Reference;
using spec::MapType;
using Replaced = Objects::Replaced;

const maps::Kind& kind_of(const MapObject& map) noexcept { return *map.kind; }
bool is_device(const maps::Kind& kind) noexcept {
  return kind.family == maps::Family::Device || kind.family == maps::Family::Cpu;
}
bool has_listeners(const MapObject& map) noexcept {
  const MapType type = map.map->spec().type;
  return type == MapType::PerfEventArray || type == MapType::CgroupArray;
}
int errno_of(long code) noexcept { return static_cast<int>(code); }

// Whether `map` may stand where the template of a map of maps stands.
bool fits_template(const spec::MapSpec& wanted, const spec::MapSpec& map) noexcept {
  const bool same_count =
      map.type != MapType::Array || (wanted.flags & spec::kInnerMap) != 0 || wanted.max_entries == map.max_entries;
  return same_count && wanted.type == map.type && wanted.key_size == map.key_size &&
         wanted.value_size == map.value_size && wanted.flags == map.flags;
}

// What the slots of arrays of objects ask before they look at the value.
int check_slot(const MapObject& map, const std::byte* key, std::uint64_t flags) noexcept {
  if (kind_of(map).key != maps::KeyRule::Index) return 0;
  if (flags != spec::kAny) return -EINVAL;
  return load<std::uint32_t>(key) < map.map->spec().max_entries ? 0 : -E2BIG;
}

int set_slot(State& hive, MapObject& map, const std::byte* key, Object& value, std::uint64_t flags) noexcept {
  return hive.objects.exchange(map, &value, value.kind(), [&] {
    if (value.kind() == Kind::Prog && static_cast<const ProgObject&>(value).is_extended)
      return Replaced{.error = -EBUSY};
    Replaced replaced;
    replaced.error = map.map->set_reference(key, value.reference(), flags, &replaced.old);
    return replaced;
  });
}

int write_map(Request& request, MapObject& map, const std::byte* key, int fd, std::uint64_t flags) noexcept {
  const Found<MapObject> inner = find_map(request.hive, request.caller, fd);
  if (!inner.object) return -inner.error;
  if (!fits_template(*map.inner, inner.object->map->spec()) || map.inner_fields != inner.object->fields)
    return errno_of(refuse(EINVAL, "the map differs from the template of the map of maps"));
  return set_slot(request.hive, map, key, *inner.object, flags);
}

int write_prog(Request& request, MapObject& map, const std::byte* key, int fd, std::uint64_t flags) noexcept {
  const Found<ProgObject> prog = find_prog(request.hive, request.caller, fd);
  if (!prog.object) return -prog.error;
  if (prog.object->is_extended) running(request.hive, *prog.object);  // looks whether it still is
  if (!compatible(map, *prog.object))
    return errno_of(refuse(EINVAL, "the program's type or attach type differs from that of the prog array's others"));
  return set_slot(request.hive, map, key, *prog.object, flags);
}

// Perf events are the hive's (hive/perf_output.h) or any descriptor: what that means is the host's business. Cgroups
// are those of the second version.
int check_listener(MapType type, int fd) noexcept {
  if (fd < 0) return -EBADF;
  return type == MapType::CgroupArray ? check_cgroup(fd) : 0;
}

int write_listener(Request& request, MapObject& map, const std::byte* key, int fd) noexcept {
  Fd listener = request.caller.descriptor(fd);
  if (const int error = check_listener(map.map->spec().type, listener.get()); error != 0) return error;
  const std::scoped_lock lock(map.mutex);
  const std::uint32_t id = ++map.last_listener;
  Reference old;
  if (const int error = map.map->set_reference(key, {id, 1}, spec::kAny, &old); error != 0) return error;
  std::shared_ptr<PerfOutput> event = request.hive.perf_outputs.find(listener.get(), request.hive.objects.tag());
  if (event) listener.reset();  // which would count as a user
  map.listeners.insert_or_assign(id, MapObject::Listener{.fd = std::move(listener), .event = std::move(event)});
  map.listeners.erase(old.id);
  return 0;
}

bool interface_exists(std::uint32_t index) noexcept {
  char name[IF_NAMESIZE];
  return ::if_indextoname(index, name) != nullptr;
}

// The program a dev or cpu map is to run per packet; null with 0 when the value names none.
Found<ProgObject> device_program(Request& request, MapObject& map, int fd) noexcept {
  const bool cpu = kind_of(map).family == maps::Family::Cpu;
  if (fd <= 0) return {};
  Found<ProgObject> prog = find_prog(request.hive, request.caller, fd);
  const auto wanted = cpu ? spec::AttachType::XdpCpumap : spec::AttachType::XdpDevmap;
  if (prog.object && prog.object->type == spec::ProgType::Xdp &&
      prog.object->attach_type == std::to_underlying(wanted) && compatible(map, *prog.object))
    return prog;
  return {.object = {}, .error = cpu ? ENOMEM : EINVAL};
}

// Whether a cpu map's entry may be: a queue that is not too long, on a CPU that can be.
int check_queue(std::uint32_t cpu, std::uint32_t length) noexcept {
  constexpr std::uint32_t kLongestQueue = 16384;
  if (length > kLongestQueue) return -EOVERFLOW;
  return cpu < possible_cpus() ? 0 : -ENODEV;
}

int write_device(Request& request, MapObject& map, const std::byte* key, const std::byte* value,
                 std::uint64_t flags) noexcept {
  const maps::Kind& kind = kind_of(map);
  const bool with_program = map.map->spec().value_size >= 8;
  std::uint32_t words[2] = {load<std::uint32_t>(value), with_program ? load<std::uint32_t>(value + 4) : 0};
  const auto fd = static_cast<int>(words[1]);
  if (flags > spec::kExist) return -EINVAL;
  if (kind.key == maps::KeyRule::Index && map.map->spec().type != MapType::DevmapHash) {
    if (const int error = check_slot(map, key, spec::kAny); error != 0) return error;
    if (flags == spec::kNoExist) return -EEXIST;
  }
  if (map.map->spec().type == MapType::DevmapHash) {
    std::byte old[8];
    if (words[0] == 0) return -EINVAL;
    if (flags == spec::kNoExist && map.map->copy_value(key, old, 0) == 0) return -EEXIST;
  }
  if (kind.family == maps::Family::Cpu)
    if (const int error = check_queue(load<std::uint32_t>(key), words[0]); error != 0) return error;
  if (kind.family == maps::Family::Device && words[0] == 0 && fd > 0) return -EINVAL;
  if (kind.family == maps::Family::Device && words[0] != 0 && !interface_exists(words[0]))
    return errno_of(refuse(EINVAL, "there is no interface " + std::to_string(words[0])));
  const Found<ProgObject> prog = words[0] == 0 ? Found<ProgObject>{} : device_program(request, map, fd);
  if (prog.error != 0) return -prog.error;
  words[1] = prog.object ? prog.object->id() : 0;
  return request.hive.objects.exchange(map, prog.object.get(), Kind::Prog, [&] {
    Replaced replaced{.error = 0, .old = map.map->reference(key)};
    replaced.error = map.map->update_all(key, reinterpret_cast<const std::byte*>(words), flags);
    if (replaced.error == 0 && prog.object)
      replaced.error = map.map->set_reference(key, prog.object->reference(), spec::kAny, nullptr);
    return replaced;
  });
}

// Owners come and go; there is room for another as long as there is memory.
int write_owned(MapObject& map, const std::byte* key, const std::byte* value, std::uint64_t flags) noexcept {
  int error = map.map->update_all(key, value, flags);
  if (error == -E2BIG && drop_gone(map)) error = map.map->update_all(key, value, flags);
  return error == -E2BIG ? -ENOMEM : error;
}

int forget_listener(MapObject& map, const std::byte* key) noexcept {
  const std::scoped_lock lock(map.mutex);
  Reference old;
  const int error = map.map->set_reference(key, {}, spec::kAny, &old);
  map.listeners.erase(old.id);
  return error;
}

}  // namespace

bool compatible(MapObject& map, const ProgObject& program) noexcept {
  ProgOwner owner = program.owner();
  if (map.map->spec().type != MapType::ProgArray) owner.attach_type = 0;
  const std::scoped_lock lock(map.mutex);
  if (!map.owner) map.owner = owner;
  return *map.owner == owner;
}

int write_value(Request& request, MapObject& map, const std::byte* key, std::byte* value,
                std::uint64_t flags) noexcept {
  const maps::Kind& kind = kind_of(map);
  if (holds_sockets(map)) return write_socket(request, map, key, value, flags);
  if (kind.has(maps::kReferences)) {
    if (const int error = check_slot(map, key, flags); error != 0) return error;
    const auto fd = load<int>(value);
    if (kind.has(maps::kOuter)) return write_map(request, map, key, fd, flags);
    return has_listeners(map) ? write_listener(request, map, key, fd) : write_prog(request, map, key, fd, flags);
  }
  if (is_device(kind)) return write_device(request, map, key, value, flags);
  if (is_owned(map)) {
    blank_special_fields(map.elements(), value);
    return write_owned(map, key, value, flags);
  }
  return PlainChanges().write(map.elements(), key, value, flags);
}

int delete_value(State& hive, MapObject& map, const std::byte* key) noexcept {
  const maps::Kind& kind = kind_of(map);
  if (holds_sockets(map)) return delete_socket(hive, map, key);
  if (has_listeners(map)) return forget_listener(map, key);
  if (!kind.has(maps::kReferences) && !is_device(kind)) return map.map->erase(key);
  return hive.objects.exchange(map, nullptr, kind.has(maps::kOuter) ? Kind::Map : Kind::Prog, [&] {
    Replaced replaced{.error = 0, .old = map.map->reference(key)};
    replaced.error = map.map->erase(key);
    return replaced;
  });
}

}  // namespace skep::hive
