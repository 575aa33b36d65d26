#include "hive/btf_use.h"

#include "btf/btf.h"
#include "btf/record.h"
#include "maps/kinds.h"

namespace skep::hive {
namespace {

using spec::MapType;

constexpr std::uint32_t kVoid = 0;

enum class KeyTypes : std::uint8_t { None, Any, Word, Struct };

// What a map type says to types for its keys and values. None: it takes no BTF.
KeyTypes key_types(MapType type) noexcept {
  switch (type) {
    case MapType::Array:
    case MapType::PercpuArray: return KeyTypes::Word;
    case MapType::LpmTrie: return KeyTypes::Struct;
    case MapType::PerfEventArray:
    case MapType::ArrayOfMaps:
    case MapType::Devmap:
    case MapType::DevmapHash:
    case MapType::Cpumap: return KeyTypes::None;
    default: return KeyTypes::Any;
  }
}

bool is_plain_word(const btf::Btf& types, std::uint32_t id) {
  const btf::Type type = types.type(types.resolve(id));
  return type.kind() == btf::Kind::Int && type.size() == 4 && btf::int_bits(type.int_data()) == 32 &&
         btf::int_offset(type.int_data()) == 0;
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

}  // namespace

Result<> check_map_types(const BtfObject& btf, const spec::MapSpec& spec, std::uint32_t key_type,
                         std::uint32_t value_type) {
  const btf::Btf& types = btf.types;
  const KeyTypes rule = key_types(spec.type);
  if (key_type != kVoid) TRY_VOID(check_size(types, "key", key_type, spec.key_size));
  if (key_type == kVoid && (rule == KeyTypes::Any || rule == KeyTypes::Struct))
    return fail(EINVAL, "the map's keys have no type");
  TRY_VOID(check_size(types, "value", value_type, spec.value_size));
  switch (rule) {
    case KeyTypes::None: return fail(maps::kNotSupported, "this map type takes no BTF");
    case KeyTypes::Any: return {};
    case KeyTypes::Struct:
      if (types.type(types.resolve(key_type)).kind() == btf::Kind::Struct) return {};
      return fail(EINVAL, "the key of this map type must be a structure");
    case KeyTypes::Word:
      if (key_type == kVoid ? is_globals(types, spec, value_type) : is_plain_word(types, key_type)) return {};
      return fail(EINVAL, "the key of an array must be a 32-bit integer");
  }
  __builtin_unreachable();
}

bool has_spin_lock(const MapObject&) noexcept { return false; }

bool has_special_fields(const MapObject& map) {
  const std::uint32_t value_type = map.map->spec().btf_value_type;
  if (map.btf == nullptr || value_type == kVoid) return false;
  const auto fields = btf::special_fields(map.btf->types, map.btf->types.resolve(value_type));
  return fields && !fields->empty();
}

}  // namespace skep::hive
