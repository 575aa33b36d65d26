// What some helpers ask beyond their arguments: one function each, found by a table.
#include <algorithm>

#include "base/errno.h"
#include "spec/format_spec.h"
#include "verifier/step/call.h"
#include "verifier/step/dynptr.h"
#include "verifier/step/helper_call.h"

namespace skep::verifier {
namespace {

using spec::AttachType;
using spec::HelperId;
using spec::ProgType;

// A callback has a helper to return to. Linux 6.12 compiles such programs, to nobody's good; 6.18 says that its
// verifier has a bug.
Checked check_tail_call(Walk& walk, CallArguments&) {
  for (unsigned f = 0; f <= walk.state.top; ++f)
    if (walk.state.frames[f]->called_as == CallKind::Callback)
      return walk.reject(EINVAL, "tail_call is not allowed in callbacks");
  return check_resources(walk, false, "tail_call");
}

// It cannot say that it failed.
Checked check_local_storage(Walk& walk, CallArguments&) {
  if (walk.peek(2).is_zero()) return {};
  return walk.reject(EINVAL, "get_local_storage() doesn't support non-zero flags");
}

Checked check_snprintf(Walk& walk, CallArguments&) {
  constexpr unsigned kFormat = 3, kDataBytes = 5;
  const std::uint64_t bytes = walk.peek(kDataBytes).number.bits.value;
  if (bytes % sizeof(std::uint64_t) != 0) return walk.reject(EINVAL, "");
  if (spec::valid_format(const_string(walk, kFormat), bytes / sizeof(std::uint64_t))) return {};
  return walk.reject(EINVAL, "Invalid format string");
}

Checked check_dynptr_source(Walk& walk, CallArguments&) {
  const Register& reg = walk.peek(1);
  if (reg.kind == Kind::MapValue && reg.traits == 0) return {};
  return walk.reject(EACCES, "Unsupported reg type {} for bpf_dynptr_from_mem data", reg.type_name());
}

// A slice carries what its dynptr carries.
Checked note_sliced_dynptr(Walk& walk, CallArguments& call) {
  const Register& dynptr = dynptr_of(walk, 1);
  call.dynptr_id = dynptr.id;
  call.ref_obj_id = dynptr.ref_obj_id;
  return {};
}

// Writing to a packet through its dynptr may move it.
Checked note_written_dynptr(Walk& walk, CallArguments& call) {
  call.moves_packet |= dynptr_of(walk, 1).dynptr == DynptrType::Skb;
  return {};
}

// Hooks that return nothing have no value to set.
Checked check_set_retval(Walk& walk, CallArguments&) {
  if (walk.type != ProgType::Lsm || walk.attach != AttachType::LsmCgroup) return {};
  const Attached& at = walk.attached;
  if (at.btf == nullptr || at.proto == 0 || at.btf->type(at.proto).type() != 0) return {};
  return walk.reject(EINVAL, "BPF_LSM_CGROUP that attach to void LSM hooks can't modify return value!");
}

constexpr unsigned kLoopFlags = 4;

// Whether the loop can be compiled without the helper: it is always the same function, and there are no flags.
Checked note_loop(Walk& walk, std::uint32_t subprog) {
  if (walk.insn_info().has_loop && !walk.insn_info().inlines_loop) return {};
  const bool plain = walk.peek(kLoopFlags).is_zero();
  if (plain) TRY_VOID(walk.mark_precise(kLoopFlags));
  InsnInfo& info = walk.insn_info();
  if (!info.has_loop) info.callback = subprog + 1;
  info.inlines_loop = plain && info.callback == subprog + 1;
  info.has_loop = true;
  return {};
}

Checked call_back(Walk& walk, CallArguments& call) {
  if (is(call, HelperId::loop)) TRY_VOID(note_loop(walk, call.subprog));
  return enter_helper_callback(walk, call.helper->id, call.subprog);
}

struct Rule {
  HelperId helper;
  Checked (*check)(Walk&, CallArguments&);
};
constexpr Rule kRules[] = {
    {HelperId::tail_call, check_tail_call},
    {HelperId::get_local_storage, check_local_storage},
    {HelperId::snprintf, check_snprintf},
    {HelperId::dynptr_from_mem, check_dynptr_source},
    {HelperId::dynptr_data, note_sliced_dynptr},
    {HelperId::dynptr_write, note_written_dynptr},
    {HelperId::set_retval, check_set_retval},
    {HelperId::loop, call_back},
    {HelperId::for_each_map_elem, call_back},
    {HelperId::timer_set_callback, call_back},
    {HelperId::find_vma, call_back},
    {HelperId::user_ringbuf_drain, call_back},
};

}  // namespace

Checked check_particular(Walk& walk, CallArguments& call) {
  const auto rule = std::ranges::find(kRules, call.helper->id, &Rule::helper);
  return rule == std::end(kRules) ? Checked{} : rule->check(walk, call);
}

Checked check_function_address(Walk& walk, const CallArguments& call) {
  if (!is(call, HelperId::get_func_ip)) return {};
  const ProgType type = walk.type;
  const AttachType attach = walk.attach;
  if (type == ProgType::Kprobe) return {};
  if (type != ProgType::Tracing)
    return walk.reject(kNotSupported, "func {} not supported for program type {}", call.callee(),
                       static_cast<unsigned>(type));
  if (attach == AttachType::TraceFentry || attach == AttachType::TraceFexit || attach == AttachType::ModifyReturn)
    return {};
  return walk.reject(kNotSupported, "func {} supported only for fentry/fexit/fmod_ret programs", call.callee());
}

}  // namespace skep::verifier
