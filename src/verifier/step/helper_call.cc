#include "verifier/step/helper_call.h"

#include "spec/helper_access.h"
#include "verifier/step/call.h"
#include "verifier/step/dynptr.h"

namespace skep::verifier {
namespace {

using isa::Insn;
using spec::ArgBase;
using spec::Helper;
using spec::HelperId;
using spec::HelperTrait;

// Whom the instruction calls, and whether this program may at all.
CheckedOf<const Helper*> find_callee(Walk& walk, const Insn& insn) {
  const Helper* known = spec::find_helper(static_cast<std::uint32_t>(insn.imm));
  const bool is_unspec = insn.imm == 0;
  if (known == nullptr && !is_unspec) return walk.reject(EINVAL, "invalid func unknown#{}", insn.imm);
  const spec::ProgType type = walk.type;
  if (is_unspec || !walk.attached.may_call_helpers ||
      !spec::helper_allowed(type, walk.attach, known->id, walk.input.rights))
    return walk.reject(EINVAL, "program of this type cannot use helper bpf_{}#{}", is_unspec ? "unspec" : known->name,
                       insn.imm);
  const Helper& helper = spec::signature(type, known->id);
  if (helper.is(HelperTrait::Gpl) && walk.input.license != spec::License::Gpl)
    return walk.reject(EINVAL, "cannot call GPL-restricted function from non-GPL compatible program");
  if (!spec::helper_allowed_at({walk.attached.name, walk.attached.may_sleep}, type, walk.attach, known->id))
    return walk.reject(EINVAL, "helper call is not allowed in probe");
  return &helper;
}

// Where a helper may be called that may sleep.
Checked check_sleep(Walk& walk, const CallArguments& call) {
  if (!call.helper->is(HelperTrait::Sleeps)) return {};
  if (!walk.state.may_sleep) return walk.reject(EINVAL, "helper call might sleep in a non-sleepable prog");
  if (walk.state.in_rcu) return walk.reject(EINVAL, "sleepable helper {} in rcu_read_lock region", call.callee());
  if (walk.state.preempt_depth != 0)
    return walk.reject(EINVAL, "sleepable helper {} in non-preemptible region", call.callee());
  return {};
}

// The helper writes this much of the stack, as if by single bytes.
Checked write_raw_memory(Walk& walk, const CallArguments& call) {
  if (!call.raw) return {};
  for (std::int64_t i = 0; i < call.raw->size; ++i)
    TRY_VOID(check_access(
        walk,
        {.base = call.raw->number, .offset = static_cast<std::int32_t>(i), .size = 1, .direction = Direction::Write}));
  return {};
}

// An object of the program's own, put into a map by kptr_xchg: it may still be looked at under RCU.
bool give_away(Walk& walk, std::uint32_t reference) {
  if (!walk.forget_reference(reference)) return false;
  const bool in_rcu = in_rcu_section(walk);
  walk.state.update_registers([&](const Register& reg) { return reg.ref_obj_id == reference; },
                              [&](Register& reg) {
                                const Traits percpu = kAllocated | kPercpu;
                                if (!in_rcu || (reg.traits & percpu) != percpu) return invalidate(walk, reg);
                                reg.ref_obj_id = 0;
                                reg.traits = static_cast<Traits>((reg.traits & ~kAllocated) | kRcu);
                              });
  return true;
}

bool release(Walk& walk, const CallArguments& call) {
  const ArgBase base = spec::info(call.helper->args[call.released - 1]).base;
  if (base == ArgBase::Dynptr) return release_dynptr(walk, call.released);
  if (call.ref_obj_id == 0) return walk.peek(call.released).is_zero();
  if (is(call, HelperId::kptr_xchg)) return give_away(walk, call.ref_obj_id);
  return walk.release_reference(call.ref_obj_id);
}

Checked check_arguments(Walk& walk, CallArguments& call) {
  for (unsigned number = 1; number <= spec::kMaxHelperArgs; ++number)
    TRY_VOID(check_helper_argument(walk, number, call));
  TRY_VOID(record_map(walk, call));
  TRY_VOID(write_raw_memory(walk, call));
  if (call.released != 0 && !release(walk, call))
    return walk.reject(EINVAL, "func {} reference has not been acquired before", call.callee());
  return check_particular(walk, call);
}

}  // namespace

Checked step_helper_call(Walk& walk, const Insn& insn) {
  if (insn.src != 0 || insn.off != 0 || insn.dst != 0) return walk.reject(EINVAL, "BPF_CALL uses reserved fields");
  if (walk.state.lock.object != 0 && insn.imm != static_cast<std::int32_t>(HelperId::spin_unlock))
    return walk.reject(EINVAL, "function calls are not allowed while holding a lock");
  TRY(const Helper* helper, find_callee(walk, insn));
  CallArguments call{.helper = helper, .packet_allowed = helper->is(HelperTrait::Packet)};
  TRY_VOID(check_sleep(walk, call));
  call.moves_packet = helper->is(HelperTrait::MovesPacket);
  TRY_VOID(check_arguments(walk, call));
  walk.clobber_caller_saved();
  TRY_VOID(set_helper_result(walk, call));
  TRY_VOID(check_map_use(walk, call));
  TRY_VOID(check_function_address(walk, call));
  if (call.moves_packet) forget_packet_pointers(walk);
  return {};
}

}  // namespace skep::verifier
