// BPF_MAP_CREATE and BPF_MAP_FREEZE.
#include <net/if.h>
#include <sys/stat.h>

#include "base/errno.h"
#include "hive/btf_use.h"
#include "hive/request.h"
#include "maps/kinds.h"

namespace skep::hive {
namespace {

using spec::MapType;

spec::MapSpec spec_of(const spec::AttrMapCreate& attr) {
  const bool of_structs = attr.map_type == std::to_underlying(MapType::StructOps);
  const std::uint32_t about_descriptors = spec::kTokenFd | (of_structs ? spec::kVtypeBtfObjFd : 0U);
  return {.type = static_cast<MapType>(attr.map_type),
          .key_size = attr.key_size,
          .value_size = attr.value_size,
          .max_entries = attr.max_entries,
          .flags = attr.map_flags & ~about_descriptors,
          .extra = attr.map_extra,
          .numa_node = attr.numa_node,
          .name = {},
          .ifindex = attr.map_ifindex,
          .btf_key_type = attr.btf_key_type_id,
          .btf_value_type = attr.btf_value_type_id};
}

// BTF type ids that make no sense together, whatever the BTF.
bool consistent_btf(const spec::AttrMapCreate& attr) noexcept {
  if (attr.btf_vmlinux_value_type_id != 0)
    return attr.map_type == std::to_underlying(MapType::StructOps) && attr.btf_key_type_id == 0 &&
           attr.btf_value_type_id == 0;
  return attr.btf_key_type_id == 0 || attr.btf_value_type_id != 0;
}

// Who may make maps of a type, where the hive takes the unprivileged.
enum class Makers : std::uint8_t { All, Bpf, NetAdmin };

Makers makers(MapType type) noexcept {
  switch (type) {
    case MapType::Array:
    case MapType::PercpuArray:
    case MapType::ProgArray:
    case MapType::PerfEventArray:
    case MapType::CgroupArray:
    case MapType::ArrayOfMaps:
    case MapType::Hash:
    case MapType::PercpuHash:
    case MapType::HashOfMaps:
    case MapType::Ringbuf:
    case MapType::UserRingbuf:
    case MapType::CgroupStorage:
    case MapType::PercpuCgroupStorage: return Makers::All;
    case MapType::Sockmap:
    case MapType::Sockhash:
    case MapType::Devmap:
    case MapType::DevmapHash:
    case MapType::Xskmap: return Makers::NetAdmin;
    default: return Makers::Bpf;
  }
}

bool permitted(const State& hive, MapType type, const Privilege& privilege) noexcept {
  if (!privilege.bpf && !hive.options.unprivileged) return false;
  switch (makers(type)) {
    case Makers::All: return true;
    case Makers::Bpf: return privilege.bpf;
    case Makers::NetAdmin: return privilege.net_admin;
  }
  __builtin_unreachable();
}

bool is_outer(MapType type) noexcept {
  const maps::Kind* kind = maps::find_kind(type);
  return kind != nullptr && kind->has(maps::kOuter);
}

// A structure of functions that the kernel calls: its value wraps one that the kernel's types say can be replaced.
Result<> check_struct_ops(Request& request, const spec::MapSpec& spec) {
  const spec::AttrMapCreate& attr = request.attr.map_create;
  if ((attr.map_flags & spec::kVtypeBtfObjFd) != 0)  // types of a kernel's module, of which there are none
    return fail(find_btf(request.hive, request.caller, attr.value_type_btf_obj_fd).error == EBADF ? EBADF : EINVAL,
                "map_create: value_type_btf_obj_fd is no kernel module's");
  const std::uint32_t id = attr.btf_vmlinux_value_type_id;
  if (id == 0) return fail(EINVAL, "map_create: a struct_ops map needs btf_vmlinux_value_type_id");
  const btf::Btf* types = request.hive.kernel_btf();
  if (types == nullptr) return fail(EINVAL, "map_create: the kernel's types cannot be read");
  const bool wraps = types->has(id) && types->type(id).kind() == btf::Kind::Struct && types->type(id).vlen() == 2 &&
                     types->type(types->type(id).member(0).type).name() == "bpf_struct_ops_common_value";
  if (!wraps) return fail(kNotSupported, "map_create: no structure of functions has this type");
  if (types->type(id).size() != spec.value_size)
    return fail(EINVAL, "map_create: value_size must be " + std::to_string(types->type(id).size()));
  return {};
}

// No interface of the machine takes maps of a hive.
int device_error(const spec::MapSpec& spec) noexcept {
  char name[IF_NAMESIZE];
  const bool for_devices = spec.type == MapType::Array || spec.type == MapType::Hash;
  return for_devices && ::if_indextoname(spec.ifindex, name) != nullptr ? EOPNOTSUPP : EINVAL;
}

Access access_of(std::uint32_t flags) noexcept {
  if ((flags & spec::kRdonly) != 0) return Access::ReadOnly;
  return (flags & spec::kWronly) != 0 ? Access::WriteOnly : Access::ReadWrite;
}

// A token gives rights that are not one's own. There are none to be had: as good as any other descriptor.
int token_error(Request& request, int fd) noexcept { return request.caller.descriptor(fd) ? EINVAL : EBADF; }

struct Types {
  Ref<BtfObject> btf;
  std::vector<btf::SpecialField> fields;
};

// The BTF that a map's types are in, and those types checked against the map's sizes.
Result<Types> types_of(Request& request, const spec::MapSpec& spec) {
  const spec::AttrMapCreate& attr = request.attr.map_create;
  Types types;
  // A value of the kernel's types was found with the help of the program's.
  if (attr.btf_key_type_id == 0 && attr.btf_value_type_id == 0 && attr.btf_vmlinux_value_type_id == 0) return types;
  Found<BtfObject> btf = find_btf(request.hive, request.caller, static_cast<int>(attr.btf_fd));
  if (!btf.object) return fail(btf.error, "btf_fd " + std::to_string(attr.btf_fd) + " is no BTF");
  if (attr.btf_value_type_id != 0) {
    TRY(types.fields, check_map_types(*btf.object, spec, attr.btf_key_type_id, attr.btf_value_type_id));
  }
  types.btf = std::move(btf.object);
  return types;
}

Result<Ref<MapObject>> make(Request& request, spec::MapSpec spec, const MapObject* inner) {
  State& hive = request.hive;
  TRY(spec.name, object_name(request.attr.map_create.map_name));
  TRY(Types types, types_of(request, spec));
  const spec::MapSpec* inner_spec = inner != nullptr ? &inner->map->spec() : nullptr;
  if (types.btf) spec.btf = spec::BtfId{types.btf->id()};
  const std::uint32_t id = hive.objects.take_id(Kind::Map);
  auto object = std::make_shared<MapObject>();
  TRY(object->map, maps::Map::create(*hive.domain, spec, spec::MapId{id}, inner_spec));
  object->kind = maps::find_kind(spec.type);
  if (inner != nullptr) {
    object->inner = *inner_spec;
    object->inner_fields = inner->fields;
  }
  object->is_guarded = !request.caller.privilege().perfmon;
  object->btf = types.btf.get();
  object->fields = std::move(types.fields);
  if (const auto lock = spin_lock_in(object->fields)) object->map->set_value_lock(*lock);
  struct stat status{};
  if (::fstat(object->map->memfd(), &status) == 0) object->inode = status.st_ino;
  Ref<MapObject> ref = hive.objects.insert(std::move(object), id);
  if (types.btf) hive.objects.hold(*ref, *types.btf);
  const std::scoped_lock lock(hive.inode_mutex);
  hive.map_inodes.insert_or_assign(ref->inode, id);
  return ref;
}

// Whether the caller has the map's file mapped writable. Other processes' mappings are not seen.
bool mapped_writable(Request& request, const MapObject& map) {
  struct stat status{};
  if (::fstat(map.map->memfd(), &status) != 0) return false;
  return request.caller.maps_writable(map.inode, static_cast<std::uint64_t>(status.st_size));
}

}  // namespace

long map_create(Request& request) {
  const spec::AttrMapCreate& attr = request.attr.map_create;
  const spec::MapSpec spec = spec_of(attr);
  if (!consistent_btf(attr)) return refuse(EINVAL, "map_create: these BTF type ids do not go together");
  Found<MapObject> inner;
  if (is_outer(spec.type)) inner = find_map(request.hive, request.caller, static_cast<int>(attr.inner_map_fd));
  const spec::MapSpec* inner_spec = inner.object ? &inner.object->map->spec() : nullptr;
  if (Result<> valid = maps::validate(spec, inner_spec); !valid) {
    const bool of_inner = is_outer(spec.type) && !inner.object && valid.error().code == EBADF;
    return refuse(of_inner ? inner.error : valid.error().code, std::move(valid.error().message));
  }
  if (spec.ifindex != 0) return refuse(device_error(spec), "map_create: there are no devices to offload maps to");
  if ((attr.map_flags & spec::kTokenFd) != 0) return -token_error(request, attr.map_token_fd);
  if (!permitted(request.hive, spec.type, request.caller.privilege()))
    return refuse(EPERM, "map_create: not permitted");
  if (spec.type == MapType::StructOps)
    if (Result<> fits = check_struct_ops(request, spec); !fits) return refuse(std::move(fits.error()));
  Result<Ref<MapObject>> map = make(request, spec, inner.object.get());
  if (!map) return refuse(std::move(map.error()));
  return install_map(request, **map, access_of(spec.flags));
}

// Refused while the map is mapped writable (as far as that can be seen), like the kernel. Descriptors given out later
// can only be mapped for reading; those that exist are refused by us, but not a new mapping through them.
long map_freeze(Request& request) {
  Found<MapObject> found = find_map(request.hive, request.caller, static_cast<int>(request.attr.elem.map_fd));
  if (!found.object) return -found.error;
  MapObject& map = *found.object;
  if (map.map->spec().type == MapType::StructOps || !map.fields.empty()) return -kNotSupported;
  if (found.access == Access::ReadOnly || map.map->frozen()) return -EPERM;
  if (map.map->mmap_bytes() != 0 && mapped_writable(request, map))
    return refuse(EBUSY, "map_freeze: the map is mapped writable");
  const std::scoped_lock lock(map.mutex);
  return map.map->freeze();
}

}  // namespace skep::hive
