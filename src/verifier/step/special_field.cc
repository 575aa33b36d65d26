// Locks, timers and kptr slots as arguments of calls.
#include <algorithm>

#include "verifier/step/arguments.h"

namespace skep::verifier {
namespace {

using btf::Special;
using btf::SpecialField;

// What holds the field, in messages.
std::string holder(const Walk& walk, const Register& reg) {
  return reg.kind == Kind::MapValue ? fmt::format("map '{}'", walk.map(reg.map).spec.name) : "local 'kptr'";
}

const SpecialField* find(const std::vector<SpecialField>& fields, Special kind) {
  const auto found = std::ranges::find(fields, kind, &SpecialField::kind);
  return found == fields.end() ? nullptr : &*found;
}

std::int64_t offset_of(const Register& reg) { return reg.offset + static_cast<std::int64_t>(reg.number.value()); }

// The register points, at a constant offset, to the field of this kind that its value has.
Checked check_field(Walk& walk, unsigned number, Special kind, std::string_view type) {
  const Register reg = walk.peek(number);
  if (!reg.number.is_constant())
    return walk.reject(EINVAL, "R{} doesn't have constant offset. {} has to be at the constant offset", number, type);
  if (reg.kind == Kind::MapValue && walk.map(reg.map).btf == nullptr)
    return walk.reject(EINVAL, "map '{}' has to have BTF in order to use {}", walk.map(reg.map).spec.name, type);
  const std::vector<SpecialField> fields = special_fields(walk, reg);
  const SpecialField* field = find(fields, kind);
  if (field == nullptr) return walk.reject(EINVAL, "{} has no valid {}", holder(walk, reg), type);
  if (field->offset != offset_of(reg))
    return walk.reject(EINVAL, "off {} doesn't point to 'struct {}' that is at {}", offset_of(reg), type,
                       field->offset);
  return {};
}

// The lock in this value, as State::lock names it.
ActiveLock lock_in(const Register& reg) {
  constexpr std::uint64_t kOfType = std::uint64_t{1} << 32;
  return {reg.kind == Kind::MapValue ? std::uint64_t{reg.map} + 1 : kOfType + reg.btf, reg.id};
}

}  // namespace

std::vector<SpecialField> special_fields(const Walk& walk, const Register& reg) {
  if (reg.kind == Kind::MapValue) {
    const auto fields = walk.map(reg.map).fields;
    return {fields.begin(), fields.end()};
  }
  const btf::Btf* btf = reg.kind == Kind::Btf && reg.is(kAllocated) ? types(walk, reg.btf) : nullptr;
  if (btf == nullptr || !btf->has(reg.btf_type)) return {};
  return btf::special_fields(*btf, reg.btf_type).value_or(std::vector<SpecialField>{});
}

Checked process_spin_lock(Walk& walk, unsigned number, LockAction action) {
  TRY_VOID(check_field(walk, number, Special::SpinLock, "bpf_spin_lock"));
  const ActiveLock lock = lock_in(walk.peek(number));
  ActiveLock& held = walk.state.lock;
  if (action == LockAction::Lock) {
    if (held.object != 0) return walk.reject(EINVAL, "Locking two bpf_spin_locks are not allowed");
    held = lock;
    return {};
  }
  if (held.object == 0) return walk.reject(EINVAL, "bpf_spin_unlock without taking a lock");
  if (held != lock) return walk.reject(EINVAL, "bpf_spin_unlock of different lock");
  held = {};
  walk.state.update_registers([](const Register& reg) { return reg.is(kNonOwning); },
                              [&](Register& reg) { invalidate(walk, reg); });
  return {};
}

Checked process_timer(Walk& walk, unsigned number, CallArguments& call) {
  TRY_VOID(check_field(walk, number, Special::Timer, "bpf_timer"));
  if (call.map) return walk.reject(EFAULT, "verifier bug. Two map pointers in a timer helper");
  call.map = walk.peek(number).map;
  call.map_uid = walk.peek(number).map_uid;
  return {};
}

// ---- Pointers to objects in values

namespace {

bool is_kptr(Special kind) { return kind >= Special::Kptr; }

std::optional<TypeId> found_by_name(const Walk& walk, const btf::Type& type) {
  const btf::Btf* kernel = walk.input.kernel_btf;
  if (kernel == nullptr) return std::nullopt;
  const auto id = kernel->find(type.name(), type.kind());
  return id ? std::optional(TypeId{spec::kKernelBtf, *id}) : std::nullopt;
}

// The index under which registers name a map's BTF.
const btf::Btf* btf_of(const Walk& walk, const Register& reg) {
  return reg.kind == Kind::MapValue ? walk.map(reg.map).btf : types(walk, reg.btf);
}

}  // namespace

std::optional<TypeId> kptr_target(const Walk& walk, const btf::Btf& btf, const SpecialField& field) {
  if (const auto known = found_by_name(walk, btf.type(field.target))) return known;
  if (&btf == walk.input.btf) return TypeId{spec::kProgramBtf, field.target};
  return std::nullopt;
}

Checked process_kptr_slot(Walk& walk, unsigned number, CallArguments& call) {
  const Register reg = walk.peek(number);
  if (reg.kind == Kind::MapValue) {
    if (walk.map(reg.map).btf == nullptr)
      return walk.reject(EINVAL, "map '{}' has to have BTF in order to use bpf_kptr_xchg", walk.map(reg.map).spec.name);
    call.map = reg.map;
  }
  if (!reg.number.is_constant())
    return walk.reject(EINVAL, "R{} doesn't have constant offset. kptr has to be at the constant offset", number);
  call.fields = special_fields(walk, reg);
  if (std::ranges::none_of(call.fields, is_kptr, &SpecialField::kind))
    return walk.reject(EINVAL, "R{} has no valid kptr", number);
  const auto field = std::ranges::find_if(
      call.fields, [&](const SpecialField& at) { return is_kptr(at.kind) && at.offset == offset_of(reg); });
  if (field == call.fields.end()) return walk.reject(EACCES, "off={} doesn't point to kptr", offset_of(reg));
  if (field->kind == Special::KptrUntrusted)
    return walk.reject(EACCES, "off={} kptr isn't referenced kptr", offset_of(reg));
  const auto target = kptr_target(walk, *btf_of(walk, reg), *field);
  if (!target) return walk.unsupported("kptrs to types that only the BTF of map '{}' has", walk.map(reg.map).spec.name);
  call.kptr = &*field;
  call.kptr_target = *target;
  return {};
}

Checked check_kptr_type(Walk& walk, unsigned number, const SpecialField& field, TypeId target) {
  const Register reg = walk.peek(number);
  const bool untrusted = field.kind == Special::KptrUntrusted;
  Traits allowed = kOrNull | kNested;
  if (reg.kind != Kind::Btf || reg.btf == spec::kKernelBtf)
    allowed |= kTrusted | kRcu | (untrusted ? kUntrusted : Traits{0});
  else
    allowed |= kAllocated | (field.kind == Special::KptrPercpu ? kPercpu : Traits{0});
  std::string name;
  if (reg.kind == Kind::Btf && !reg.is(static_cast<Traits>(~allowed))) {
    name = type_name(walk, TypeId{reg.btf, reg.btf_type});
    if (!check_pointer_offset(walk, reg, number, true)) return walk.reject(EACCES, "{}", walk.rejection->message);
    const Match how = untrusted ? Match::Nested : Match::Strict;
    if (types_match(walk, {reg.btf, reg.btf_type}, reg.offset, target, how)) return {};
  }
  const std::string wanted = type_name(walk, target);
  return walk.reject(EACCES, "invalid kptr access, R{} type={}{} expected={}{}{}", number, reg.type_name(), name,
                     verifier::type_name(Kind::Btf, 0), wanted,
                     untrusted ? fmt::format(" or {}{}", verifier::type_name(Kind::Btf, kUntrusted), wanted) : "");
}

}  // namespace skep::verifier
