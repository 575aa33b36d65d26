#include "verifier/step/nullness.h"

#include <algorithm>

namespace skep::verifier {
namespace {

bool has_field(const spec::MapView& map, btf::Special kind) {
  return std::ranges::find(map.fields, kind, &btf::SpecialField::kind) != map.fields.end();
}

// The id of a value with a lock tells which lock is held.
bool may_hold_lock(const Walk& walk, const Register& reg) {
  if (reg.kind == Kind::MapValue) return has_field(walk.map(reg.map), btf::Special::SpinLock);
  return reg.kind == Kind::Btf && reg.is(kAllocated);
}

// A lookup in a map of maps gives a map; the id of the lookup tells one inner map from another where that matters.
void become_inner_map(const Walk& walk, Register& reg, std::uint32_t inner) {
  const spec::MapView& view = walk.map(inner);
  reg.kind = Kind::MapPointer;
  reg.map = inner;
  if (has_field(view, btf::Special::Timer) || has_field(view, btf::Special::Wq)) reg.map_uid = reg.id;
}

}  // namespace

bool is_never_null(const Register& reg) noexcept {
  if (reg.may_be_null()) return false;
  switch (reg.kind) {
    case Kind::Socket:
    case Kind::TcpSock:
    case Kind::SockCommon:
    case Kind::MapValue:
    case Kind::MapKey:
    case Kind::MapPointer: return true;
    case Kind::Memory: return !reg.is(kUntrusted);
    case Kind::Btf: return reg.ref_obj_id != 0 || (reg.is(kTrusted) && !reg.is(kUntrusted));
    default: return false;
  }
}

void become_not_null(const Walk& walk, Register& reg) {
  reg.traits &= static_cast<Traits>(~kOrNull);
  if (reg.kind != Kind::MapValue) return;
  if (const auto inner = walk.inner_map(reg.map)) return become_inner_map(walk, reg, *inner);
  switch (walk.map(reg.map).spec.type) {
    case spec::MapType::Xskmap: reg.kind = Kind::XdpSock; break;
    case spec::MapType::Sockmap:
    case spec::MapType::Sockhash: reg.kind = Kind::Socket; break;
    default: return;
  }
  reg.word = reg.word2 = 0;
}

void settle_nullness(Walk& walk, State& state, unsigned number, Nullness nullness) {
  const Register compared = state.frame().registers[number];
  const std::uint32_t id = compared.id;
  if (nullness == Nullness::Null && compared.ref_obj_id != 0 && compared.ref_obj_id == id)
    std::erase_if(state.references, [&](const Reference& reference) { return reference.id == id; });
  state.update_registers([&](const Register& reg) { return reg.is_pointer() && reg.may_be_null() && reg.id == id; },
                         [&](Register& reg) {
                           if (nullness == Nullness::Null) {
                             reg = Register::constant(0);
                             return;
                           }
                           become_not_null(walk, reg);
                           if (!may_hold_lock(walk, reg)) reg.id = 0;
                         });
}

}  // namespace skep::verifier
