#include "verifier/step/arguments.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/errno.h"

namespace skep::verifier {
std::string CallArguments::callee() const {
  if (helper == nullptr) return "";
  return fmt::format("bpf_{}#{}", helper->name, static_cast<unsigned>(helper->id));
}

const btf::Btf* types(const Walk& walk, std::uint32_t btf) noexcept {
  return btf == spec::kKernelBtf ? walk.input.kernel_btf : walk.input.btf;
}

std::string type_name(const Walk& walk, TypeId id) { return walk.names.btf_type(id.btf, id.type); }

std::optional<TypeId> kernel_struct(const Walk& walk, std::string_view name) {
  if (walk.input.kernel_btf == nullptr) return std::nullopt;
  const auto found = walk.input.kernel_btf->find(name, btf::Kind::Struct);
  if (!found) return std::nullopt;
  return TypeId{spec::kKernelBtf, *found};
}

bool types_match(const Walk& walk, TypeId have, std::int32_t offset, TypeId want, Match how) {
  return is_or_contains({types(walk, have.btf), have.type}, offset, {types(walk, want.btf), want.type}, how);
}

// ---- Pointers

Checked note_reference(Walk& walk, unsigned number, CallArguments& call) {
  const std::uint32_t id = walk.peek(number).ref_obj_id;
  if (id == 0) return {};
  if (call.ref_obj_id != 0)
    return walk.reject(EFAULT, "verifier internal error: more than one arg with ref_obj_id R{} {} {}", number, id,
                       call.ref_obj_id);
  call.ref_obj_id = id;
  return {};
}

namespace {

bool is_array(const spec::MapView& map) { return map.spec.type == spec::MapType::Array; }
bool is_read_only(const spec::MapView& map) { return (map.spec.flags & spec::kRdonlyProg) != 0 && map.is_frozen; }

std::uint32_t string_offset(const Register& reg) {
  return static_cast<std::uint32_t>(reg.offset) + static_cast<std::uint32_t>(reg.number.value());
}

}  // namespace

Checked check_const_string(Walk& walk, unsigned number) {
  const Register reg = walk.peek(number);
  if (reg.kind != Kind::MapValue) return walk.reject(EINVAL, "");
  const spec::MapView& map = walk.map(reg.map);
  if (!is_read_only(map)) return walk.reject(EACCES, "R{} does not point to a readonly map'", number);
  if (!reg.number.is_constant()) return walk.reject(EACCES, "R{} is not a constant address'", number);
  if (!map.has_direct_value && !is_array(map))
    return walk.reject(EACCES, "no direct value access support for this map type");
  TRY_VOID(check_map_value_access(walk, number, reg.offset, static_cast<std::int64_t>(map.spec.value_size) - reg.offset,
                                  false, true));
  if (!map.has_direct_value) return walk.reject(kNotSupported, "direct value access on string failed");
  const Bytes value = map.frozen;
  const std::uint32_t start = string_offset(reg);
  if (start >= value.size() || std::memchr(value.data() + start, 0, value.size() - start) == nullptr)
    return walk.reject(EINVAL, "string is not zero-terminated");
  return {};
}

std::string_view const_string(const Walk& walk, unsigned number) {
  const Register& reg = walk.peek(number);
  return reinterpret_cast<const char*>(walk.map(reg.map).frozen.data()) + string_offset(reg);
}

// ---- Afterwards

void invalidate(const Walk& walk, Register& value) { value = walk.may_leak ? Register::unknown() : Register{}; }

void forget_packet_pointers(Walk& walk) {
  const auto moved = [](const Register& reg) {
    if (reg.kind == Kind::Memory) return reg.dynptr == DynptrType::Skb || reg.dynptr == DynptrType::Xdp;
    return reg.is_packet() || reg.kind == Kind::PacketEnd;
  };
  walk.state.update_registers(moved, [&](Register& reg) { invalidate(walk, reg); });
}

}  // namespace skep::verifier
