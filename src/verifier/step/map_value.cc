// Values and keys of maps.
#include <algorithm>

#include "base/bytes.h"
#include "btf/record.h"
#include "isa/eval.h"
#include "verifier/step/memory.h"

namespace skep::verifier {
namespace {

using btf::Special;
using btf::SpecialField;

bool is_kptr(Special kind) {
  return kind == Special::Kptr || kind == Special::KptrUntrusted || kind == Special::KptrPercpu;
}

// A kptr is a whole: it is loaded and stored by one instruction of its size.
Checked check_kptr_touched(Walk& walk, const Register& base, const SpecialField& field, std::int32_t offset,
                           std::int64_t size, bool by_helper) {
  if (by_helper) return walk.reject(EACCES, "kptr cannot be accessed indirectly by helper");
  if (!base.number.is_constant()) return walk.reject(EACCES, "kptr access cannot have variable offset");
  const std::uint64_t at = base.number.value() + static_cast<std::uint64_t>(std::int64_t{offset});
  if (field.offset != at) return walk.reject(EACCES, "kptr access misaligned expected={} off={}", field.offset, at);
  if (size != kSlotBytes) return walk.reject(EACCES, "kptr access size must be BPF_DW");
  return {};
}

Checked check_fields(Walk& walk, const Register& base, std::int32_t offset, std::int64_t size, bool by_helper) {
  for (const SpecialField& field : walk.map(base.map).fields) {
    const std::int64_t first = base.number.full.smin + offset;
    const auto end = static_cast<std::int64_t>(base.number.full.umax) + offset + size;
    if (first >= std::int64_t{field.offset} + field.bytes || field.offset >= end) continue;
    if (!is_kptr(field.kind))
      return walk.reject(EACCES, "{} cannot be accessed directly by load/store", field_name(field.kind));
    TRY_VOID(check_kptr_touched(walk, base, field, offset, size, by_helper));
  }
  return {};
}

const SpecialField* kptr_at(const Walk& walk, const Register& base, std::int32_t offset) {
  if (!base.number.is_constant()) return nullptr;
  const std::uint64_t at = base.number.value() + static_cast<std::uint64_t>(std::int64_t{offset});
  const auto fields = walk.map(base.map).fields;
  const auto found = std::ranges::find_if(
      fields, [&](const SpecialField& field) { return is_kptr(field.kind) && field.offset == at; });
  return found == fields.end() ? nullptr : &*found;
}

// Bytes that nobody can change any more are as good as an immediate.
bool read_frozen(const spec::MapView& map, std::uint64_t at, const Access& access, Register& loaded) {
  if (!(map.spec.flags & spec::kRdonlyProg) || !map.is_frozen || !map.has_direct_value) return false;
  if (at + access.size > map.frozen.size()) return false;
  std::uint64_t value = 0;
  for (unsigned i = access.size; i-- > 0;) value = value << 8 | std::to_integer<std::uint64_t>(map.frozen[at + i]);
  if (access.extends_sign) {
    const unsigned unused = (8 - access.size) * 8;
    value = static_cast<std::uint64_t>(static_cast<std::int64_t>(value << unused) >> unused);
  }
  loaded = Register::constant(value);
  return true;
}

}  // namespace

std::string_view field_name(Special kind) noexcept {
  switch (kind) {
#define SPECIAL_FIELD(Kind, name, ...) \
  case Special::Kind: return name;
#include "btf/special_fields.def"
#undef SPECIAL_FIELD
    case Special::KptrPercpu: return "percpu_kptr";
    default: return "kptr";
  }
}

Checked check_inside(Walk& walk, unsigned number, std::int64_t offset, std::int64_t size, std::uint32_t total,
                     bool may_be_empty) {
  const auto at = static_cast<std::int32_t>(offset);
  const bool size_fits = size > 0 || (size == 0 && may_be_empty);
  if (at >= 0 && size_fits && at + size <= std::int64_t{total}) return {};
  const Register& base = walk.peek(number);
  switch (base.traits == 0 ? base.kind : Kind::Memory) {
    case Kind::MapKey:
      return walk.reject(EACCES, "invalid access to map key, key_size={} off={} size={}", total, at, size);
    case Kind::MapValue:
      return walk.reject(EACCES, "invalid access to map value, value_size={} off={} size={}", total, at, size);
    case Kind::Packet:
    case Kind::PacketMeta:
      return walk.reject(EACCES, "invalid access to packet, off={} size={}, R{}(id={},off={},r={})", at, size, number,
                         base.id, at, total);
    default: return walk.reject(EACCES, "invalid access to memory, mem_size={} off={} size={}", total, at, size);
  }
}

Checked check_region(Walk& walk, unsigned number, std::int32_t offset, std::int64_t size, std::uint32_t total,
                     bool may_be_empty) {
  const std::int64_t smin = walk.peek(number).number.full.smin;
  const std::uint64_t umax = walk.peek(number).number.full.umax;
  const auto lowest =
      static_cast<std::int64_t>(static_cast<std::uint64_t>(smin) + static_cast<std::uint64_t>(std::int64_t{offset}));
  const bool is_unbounded = smin == Scalar64::Full::kSmin || lowest != static_cast<std::int32_t>(lowest);
  if (smin < 0 && (is_unbounded || lowest < 0))
    return walk.reject(EACCES, "R{} min value is negative, either use unsigned index or do a if (index >=0) check.",
                       number);
  if (!check_inside(walk, number, lowest, size, total, may_be_empty)) {
    walk.say("{}", walk.rejection->message);
    return walk.reject(EACCES, "R{} min value is outside of the allowed memory range", number);
  }
  if (umax >= static_cast<std::uint64_t>(kMaxVariableOffset))
    return walk.reject(EACCES, "R{} unbounded memory access, make sure to bounds check any such access", number);
  if (!check_inside(walk, number, static_cast<std::int64_t>(umax) + offset, size, total, may_be_empty)) {
    walk.say("{}", walk.rejection->message);
    return walk.reject(EACCES, "R{} max value is outside of the allowed memory range", number);
  }
  return {};
}

Checked check_map_direction(Walk& walk, unsigned number, std::int32_t offset, std::int64_t size, Direction direction) {
  const spec::MapSpec& map = walk.map(walk.peek(number).map).spec;
  const bool reads = direction == Direction::Read;
  const std::uint32_t forbidden = reads ? spec::kWronlyProg : spec::kRdonlyProg;
  if (!(map.flags & forbidden)) return {};
  return walk.reject(EACCES, "{} map forbidden, value_size={} off={} size={}", reads ? "read from" : "write into",
                     map.value_size, offset, size);
}

Checked check_map_value_access(Walk& walk, unsigned number, std::int32_t offset, std::int64_t size, bool may_be_empty,
                               bool by_helper) {
  const std::uint32_t total = walk.map(walk.peek(number).map).spec.value_size;
  TRY_VOID(check_region(walk, number, offset, size, total, may_be_empty));
  return check_fields(walk, walk.peek(number), offset, size, by_helper);
}

Checked access_map_value(Walk& walk, const Target& target, Register& loaded) {
  const Access& access = target.access;
  TRY_VOID(check_leak(walk, access, "map"));
  TRY_VOID(check_map_direction(walk, access.base, target.offset, access.size, access.direction));
  TRY_VOID(check_map_value_access(walk, access.base, target.offset, access.size, false, false));
  const Register& base = walk.peek(access.base);
  if (const SpecialField* kptr = kptr_at(walk, base, target.offset)) return access_kptr(walk, target, *kptr, loaded);
  if (!target.reads() || !base.number.is_constant()) return {};
  const std::uint64_t at = base.number.value() + static_cast<std::uint64_t>(std::int64_t{target.offset});
  read_frozen(walk.map(base.map), at, access, loaded);
  return {};
}

Checked access_map_key(Walk& walk, const Target& target) {
  const unsigned number = target.access.base;
  if (!target.reads()) return walk.reject(EACCES, "write to change key R{} not allowed", number);
  return check_region(walk, number, target.offset, target.access.size, walk.map(walk.peek(number).map).spec.key_size,
                      false);
}

}  // namespace skep::verifier
