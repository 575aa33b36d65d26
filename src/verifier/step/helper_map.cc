// What a helper call does with its map: what engines want to know of it, and whether it may.
#include "spec/helper_maps.h"
#include "verifier/step/helper_call.h"

namespace skep::verifier {
namespace {

using spec::HelperId;
using spec::HelperTrait;
using spec::MapType;

void record(std::uint32_t& known, std::uint32_t seen) {
  if (known == 0)
    known = seen + 1;
  else if (known != seen + 1)
    known = InsnInfo::kSeveral;
}

// Of a tail call whose index is a constant that the array has, it can become a direct jump.
Checked record_key(Walk& walk, const CallArguments& call) {
  const spec::MapView* map = call.map ? &walk.map(*call.map) : nullptr;
  if (map == nullptr || map->spec.type != MapType::ProgArray)
    return walk.reject(EINVAL, "{}",
                       walk.rules == Rules::Linux612 ? "kernel subsystem misconfigured verifier"
                                                     : "expected prog array map for tail call");
  constexpr unsigned kIndexRegister = 3;
  const Register& index = walk.peek(kIndexRegister);
  if (!index.is_constant() || index.number.value() >= map->spec.max_entries) {
    walk.insn_info().key = InsnInfo::kSeveral;
    return {};
  }
  const auto key = static_cast<std::uint32_t>(index.number.value());
  TRY_VOID(walk.mark_precise(kIndexRegister));
  record(walk.insn_info().key, key);
  return {};
}

}  // namespace

Checked record_map(Walk& walk, const CallArguments& call) {
  if (call.helper->is(HelperTrait::RecordsMap)) {
    if (!call.map) return walk.reject(EINVAL, "kernel subsystem misconfigured verifier");
    if (call.helper->is(HelperTrait::WritesMap) && (walk.map(*call.map).spec.flags & spec::kRdonlyProg) != 0)
      return walk.reject(EACCES, "write into map forbidden");
    record(walk.insn_info().map, *call.map);
    walk.insn_info().is_map_guarded |= walk.map(*call.map).is_guarded;
  }
  return is(call, HelperId::tail_call) ? record_key(walk, call) : Checked{};
}

Checked check_map_use(Walk& walk, const CallArguments& call) {
  if (!call.map) return {};
  const MapType type = walk.map(*call.map).spec.type;
  const bool changes = is(call, HelperId::map_update_elem) || is(call, HelperId::map_delete_elem);
  const bool may =
      !changes || !spec::is_sockmap(type) || spec::may_change_sockmap(walk.type, walk.attach, call.helper->id);
  if (!may) walk.say("cannot update sockmap in this context");
  if (may && spec::helper_takes_map(call.helper->id, type)) return {};
  return walk.reject(EINVAL, "cannot pass map_type {} into func {}", static_cast<unsigned>(type), call.callee());
}

}  // namespace skep::verifier
