#include "hive/btf_use.h"

#include <algorithm>

#include "base/errno.h"
#include "btf/btf.h"
#include "maps/kinds.h"

namespace skep::hive {
namespace {

using spec::MapType;

constexpr std::uint32_t kVoid = 0;

enum class KeyTypes : std::uint8_t { None, Any, Word, Struct, Cgroup };

// What a map type says to types for its keys and values. None: it takes no BTF.
KeyTypes key_types(MapType type) noexcept {
  switch (type) {
    case MapType::Array:
    case MapType::PercpuArray:
    case MapType::SkStorage:
    case MapType::InodeStorage:
    case MapType::TaskStorage:
    case MapType::CgrpStorage: return KeyTypes::Word;
    case MapType::LpmTrie: return KeyTypes::Struct;
    case MapType::CgroupStorage:
    case MapType::PercpuCgroupStorage: return KeyTypes::Cgroup;
    case MapType::PerfEventArray:
    case MapType::ArrayOfMaps:
    case MapType::StackTrace:
    case MapType::CgroupArray:
    case MapType::Xskmap:
    case MapType::Devmap:
    case MapType::DevmapHash:
    case MapType::Cpumap: return KeyTypes::None;
    default: return KeyTypes::Any;
  }
}

// An integer that takes all bits of `bytes`.
bool is_plain_int(const btf::Btf& types, std::uint32_t id, std::uint32_t bytes) {
  const btf::Type type = types.type(types.resolve(id));
  return type.kind() == btf::Kind::Int && type.size() == bytes && btf::int_bits(type.int_data()) == bytes * 8 &&
         btf::int_offset(type.int_data()) == 0;
}

// A cgroup's id, alone or in a structure with an attach type behind it.
bool is_cgroup_key(const btf::Btf& types, const spec::MapSpec& spec, std::uint32_t id) {
  if (spec.key_size == 8) return is_plain_int(types, id, 8);
  const btf::Type type = types.type(types.resolve(id));
  if (type.kind() != btf::Kind::Struct || type.vlen() != 2) return false;
  const btf::Member cgroup = type.member(0);
  const btf::Member attach = type.member(1);
  return cgroup.bits == 0 && cgroup.bit_offset == 0 && is_plain_int(types, cgroup.type, 8) && attach.bits == 0 &&
         attach.bit_offset == 64 && is_plain_int(types, attach.type, 4);
}

// Globals: one element, no key, a data section as the value.
bool is_globals(const btf::Btf& types, const spec::MapSpec& spec, std::uint32_t value) {
  return spec.type == MapType::Array && spec.max_entries == 1 && types.type(value).kind() == btf::Kind::Datasec;
}

Result<> check_size(const btf::Btf& types, const char* what, std::uint32_t id, std::uint32_t wanted) {
  const auto size = types.has(id) ? types.size_of(id) : std::nullopt;
  if (!size) return fail(EINVAL, std::string(what) + " type " + std::to_string(id) + " has no size");
  if (*size != wanted)
    return fail(EINVAL, std::string(what) + " type " + std::to_string(id) + " has " + std::to_string(*size) +
                            " bytes, the map's has " + std::to_string(wanted));
  return {};
}

// Whether values of this map type may hold such a field.
bool takes(MapType type, btf::Special field) noexcept {
  const bool plain = type == MapType::Hash || type == MapType::Array;
  const bool storage = type == MapType::SkStorage || type == MapType::InodeStorage || type == MapType::TaskStorage ||
                       type == MapType::CgrpStorage;
  switch (field) {
    case btf::Special::SpinLock: return plain || storage || type == MapType::CgroupStorage;
    case btf::Special::Timer:
    case btf::Special::Wq:
    case btf::Special::ListHead:
    case btf::Special::RbRoot: return plain || type == MapType::LruHash;
    case btf::Special::Refcount:
    case btf::Special::Kptr:
    case btf::Special::KptrUntrusted:
    case btf::Special::KptrPercpu:
      return plain || storage || type == MapType::LruHash || type == MapType::PercpuHash ||
             type == MapType::LruPercpuHash || type == MapType::PercpuArray;
  }
  return false;
}

Result<> check_fields(std::span<const btf::SpecialField> fields, const spec::MapSpec& spec) {
  if (!fields.empty() && (spec.flags & (spec::kRdonlyProg | spec::kWronlyProg)) != 0)
    return fail(EACCES, "programs must be able to read and write values with locks, timers or kptrs");
  for (const btf::SpecialField& field : fields)
    if (!takes(spec.type, field.kind))
      return fail(EOPNOTSUPP, "values of this map type cannot hold the lock, timer or kptr at offset " +
                                  std::to_string(field.offset));
  return {};
}

Result<> check_key(const btf::Btf& types, const spec::MapSpec& spec, std::uint32_t key_type, std::uint32_t value_type) {
  switch (key_types(spec.type)) {
    case KeyTypes::None: return fail(kNotSupported, "this map type takes no BTF");
    case KeyTypes::Any: return {};
    case KeyTypes::Struct:
      if (types.type(types.resolve(key_type)).kind() == btf::Kind::Struct) return {};
      return fail(EINVAL, "the key of this map type must be a structure");
    case KeyTypes::Cgroup:
      if (is_cgroup_key(types, spec, key_type)) return {};
      return fail(EINVAL, "the key of this map type must be a cgroup's id, perhaps with an attach type");
    case KeyTypes::Word:
      if (key_type == kVoid ? is_globals(types, spec, value_type) : is_plain_int(types, key_type, 4)) return {};
      return fail(EINVAL, "the key of an array must be a 32-bit integer");
  }
  __builtin_unreachable();
}

}  // namespace

Result<std::vector<btf::SpecialField>> check_map_types(const BtfObject& btf, const spec::MapSpec& spec,
                                                       std::uint32_t key_type, std::uint32_t value_type) {
  const btf::Btf& types = btf.types;
  const KeyTypes rule = key_types(spec.type);
  if (key_type != kVoid) TRY_VOID(check_size(types, "key", key_type, spec.key_size));
  if (key_type == kVoid && rule != KeyTypes::Word && rule != KeyTypes::None)
    return fail(EINVAL, "the map's keys have no type");
  TRY_VOID(check_size(types, "value", value_type, spec.value_size));
  std::vector<btf::SpecialField> fields;
  if (auto found = btf::special_fields(types, types.resolve(value_type))) fields = *std::move(found);
  TRY_VOID(check_fields(fields, spec));
  TRY_VOID(check_key(types, spec, key_type, value_type));
  return fields;
}

}  // namespace skep::hive
