// Loads and stores of pointers to kernel objects that lie in a map's value.
#include "spec/btf_rules.h"
#include "verifier/step/arguments.h"
#include "verifier/step/memory.h"

namespace skep::verifier {
namespace {

using btf::Special;
using btf::SpecialField;

constexpr std::uint8_t kMode = 0xe0, kMem = 0x60;

bool is_plain(const isa::Insn& insn) { return (insn.code & kMode) == kMem; }

// While an RCU section lasts, what was in the map is there, even if it is taken out meanwhile.
bool is_safe_in_section(const Walk& walk, const SpecialField& field, TypeId target) {
  if (field.kind == Special::KptrPercpu) return true;
  if (field.kind != Special::Kptr) return false;
  return target.btf != spec::kKernelBtf || spec::is_rcu_object(type_name(walk, target));
}

Traits loaded_traits(const Walk& walk, const SpecialField& field, TypeId target) {
  if (!in_rcu_section(walk) || !is_safe_in_section(walk, field, target)) return kOrNull | kUntrusted;
  if (field.kind == Special::KptrPercpu) return kOrNull | kRcu | kPercpu;
  return target.btf == spec::kKernelBtf ? kOrNull | kRcu : kOrNull | kRcu | kAllocated;
}

Checked check_stored(Walk& walk, const Access& access, const SpecialField& field, TypeId target) {
  if (field.kind != Special::KptrUntrusted) return walk.reject(EACCES, "store to referenced kptr disallowed");
  if (access.value) {
    if (walk.peek(*access.value).is_zero()) return {};
    return check_kptr_type(walk, *access.value, field, target);
  }
  if (access.immediate == 0) return {};
  return walk.reject(EACCES, "BPF_ST imm must be 0 when storing to kptr at off={}", field.offset);
}

}  // namespace

Checked access_kptr(Walk& walk, const Target& target, const SpecialField& field, Register& loaded) {
  const spec::MapView& map = walk.map(walk.peek(target.access.base).map);
  const auto type = map.btf == nullptr ? std::nullopt : kptr_target(walk, *map.btf, field);
  if (!type) return walk.unsupported("kptrs to types that only the BTF of map '{}' has", map.spec.name);
  if (!is_plain(walk.insn()))
    return walk.reject(EACCES, "kptr in map can only be accessed using BPF_MEM instruction mode");
  if (!target.reads()) return check_stored(walk, target.access, field, *type);
  loaded = Register::pointer(Kind::Btf, loaded_traits(walk, field, *type));
  loaded.btf = type->btf;
  loaded.btf_type = type->type;
  loaded.id = walk.new_id();
  return {};
}

}  // namespace skep::verifier
