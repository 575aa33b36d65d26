// The end of a function: what must not be held any more, what may be returned, where the path goes on.
#include <algorithm>
#include <string>

#include "spec/prog_rules.h"
#include "verifier/step/call.h"
#include "verifier/step/loops.h"

namespace skep::verifier {
namespace {

using spec::AttachType;
using spec::ProgType;

// ---- What is held

bool is_of_callback(const State& state, const Reference& reference) {
  return state.frame().called_as != CallKind::Callback || reference.callback_frame == state.top;
}

Checked check_sections_612(Walk& walk) {
  const State& state = walk.state;
  if (state.lock.object != 0) return walk.reject(EINVAL, "bpf_spin_unlock is missing");
  if (state.in_rcu) return walk.reject(EINVAL, "bpf_rcu_read_unlock is missing");
  if (state.preempt_depth != 0)
    return walk.reject(EINVAL, "{} bpf_preempt_enable{} missing", state.preempt_depth,
                       state.preempt_depth == 1 ? " is" : "(s) are");
  return {};
}

Checked check_held(Walk& walk) {
  constexpr std::string_view kExit = "BPF_EXIT instruction in main prog";
  if (walk.rules != Rules::Linux612) {
    if (walk.state.top == 0) return check_resources(walk, false, kExit);
    if (!all_released(walk, false)) return walk.reject(EINVAL, "{} would lead to reference leak", kExit);
    return {};
  }
  if (walk.state.top == 0) TRY_VOID(check_sections_612(walk));
  if (!all_released(walk, false)) return walk.reject(EINVAL, "");
  return {};
}

// ---- What is returned

bool within(const ReturnRange& range, const Register& value, bool half) {
  const Scalar64& number = value.number;
  if (half) return range.min <= number.half.smin && number.half.smax <= range.max;
  return range.min <= number.full.smin && number.full.smax <= range.max;
}

std::string out_of_range(std::string_view when, const Register& value, const ReturnRange& range) {
  const auto& full = value.number.full;
  std::string text = fmt::format("{} the register R0 has", when);
  const bool open_below = full.smin == std::numeric_limits<std::int64_t>::min();
  const bool open_above = full.smax == std::numeric_limits<std::int64_t>::max();
  if (!open_below) text += fmt::format(" smin={}", full.smin);
  if (!open_above) text += fmt::format(" smax={}", full.smax);
  if (open_below && open_above) text += " unknown scalar value";
  return text + fmt::format(" should have been in [{}, {}]", range.min, range.max);
}

// The values a main program may return; of some LSM hooks only the lower half counts.
struct Returned {
  spec::ReturnRange range = {};
  bool nothing = false;  // void
  bool half = false;
};

// Hooks that answer a question; the others give 0 or an error.
bool is_question(std::string_view hook) {
  return hook == "bpf_lsm_audit_rule_known" || hook == "bpf_lsm_inode_xattr_skipcap";
}

CheckedOf<Returned> returned_by_hook(Walk& walk) {
  constexpr int kMaxErrno = 4095;
  const Attached& hook = walk.attached;
  if (hook.btf == nullptr || hook.proto == 0) return walk.unsupported("the return value of a hook without BTF");
  const bool is_void = hook.btf->type(hook.proto).type() == 0;
  if (walk.attach == AttachType::LsmCgroup)
    return Returned{.range = is_void ? spec::ReturnRange{1, 1} : spec::ReturnRange{0, 1}};
  if (is_void) return Returned{.nothing = true};
  if (is_question(hook.name)) return Returned{.range = {0, 1}, .half = true};
  return Returned{.range = {-kMaxErrno, 0}, .half = true};
}

// A function of a structure gives what its prototype says: anything, or nothing.
Returned returned_by_member(const Walk& walk) {
  const bool is_void = walk.attached.btf->type(walk.attached.proto).type() == 0;
  return {.range = spec::return_range(walk.type, walk.attach), .nothing = is_void};
}

CheckedOf<Returned> returned_by_main(Walk& walk) {
  switch (walk.type) {
    case ProgType::Lsm: return returned_by_hook(walk);
    case ProgType::StructOps: return returned_by_member(walk);
    default: return Returned{.range = spec::return_range(walk.type, walk.attach)};
  }
}

Checked enforce(Walk& walk, std::string_view when, const ReturnRange& range, bool half) {
  if (!walk.peek(0).is_scalar())
    return walk.reject(EINVAL, "{} the register R0 is not a known value ({})", when, walk.peek(0).type_name());
  TRY_VOID(walk.mark_precise(0));
  if (within(range, walk.peek(0), half)) return {};
  const std::string text = out_of_range(when, walk.peek(0), range);
  const bool is_void_hook = walk.type == ProgType::Lsm && walk.attach == AttachType::LsmCgroup && range.min == 1;
  if (!is_void_hook) return walk.reject(EINVAL, "{}", text);
  walk.say("{}", text);
  return walk.reject(EINVAL, "Note, BPF_LSM_CGROUP that attach to void LSM hooks can't modify return value!");
}

// What only programs at a cgroup's egress may return: a program that does must be attached there.
void note_attach_type(Walk& walk) {
  constexpr std::uint64_t kBase = 2, kEither = 1;  // 2 or 3
  const auto& bits = walk.peek(0).number.bits;
  const bool at_egress = walk.type == spec::ProgType::CgroupSkb && walk.attach == spec::AttachType::CgroupInetEgress;
  if (at_egress && (bits.mask & ~kEither) == 0 && (bits.value & ~kEither) == kBase) walk.enforces_attach_type = true;
}

Checked check_returned(Walk& walk) {
  const Frame& outermost = *walk.state.frames[0];
  const bool is_async = outermost.called_as == CallKind::AsyncCallback;
  const bool is_main = outermost.subprog == 0;
  Returned expected;
  if (is_main) {
    TRY(expected, returned_by_main(walk));
    if (expected.nothing) return {};
  }
  TRY_VOID(walk.check_read(0));
  const Register& value = walk.peek(0);
  if (!walk.may_leak && !value.is_scalar()) return walk.reject(EACCES, "R0 leaks addr as return value");
  if (is_async) return enforce(walk, "At async callback return", outermost.callback_returns, false);
  if (is_main) {
    if (expected.range.any()) return {};
    TRY_VOID(enforce(walk, "At program exit", {expected.range.min, expected.range.max}, expected.half));
    note_attach_type(walk);
    return {};
  }
  if (!value.is_scalar())
    return walk.reject(EINVAL, "At subprogram exit the register R0 is not a scalar value ({})", value.type_name());
  return {};
}

// ---- Where the path goes on

Checked check_callback_returned(Walk& walk) {
  if (!walk.peek(0).is_scalar()) return walk.reject(EACCES, "R0 not a scalar value");
  walk.mark_read(0, true);
  TRY_VOID(walk.mark_precise(0));
  const Frame& callee = walk.frame();
  if (within(callee.callback_returns, walk.peek(0), false)) return {};
  return walk.reject(EINVAL, "{}", out_of_range("At callback return", walk.peek(0), callee.callback_returns));
}

// The caller's r0 is the callee's, with all that is known of its marks.
void pass_result(State& state) {
  const unsigned callee = state.top, caller = state.top - 1;
  state.mutable_frame(caller).registers[0] = state.frames[callee]->registers[0];
  const Marks& from = state.marks[callee];
  Marks& to = state.marks[caller];
  to.written = static_cast<std::uint16_t>((to.written & ~1U) | (from.written & 1U));
  to.precise = static_cast<std::uint16_t>((to.precise & ~1U) | (from.precise & 1U));
  to.ancestor[0] = from.ancestor_of(0, callee);
}

void show_return(Walk& walk) {
  if (!walk.log.shows_walk()) return;
  walk.say("returning from callee:");
  walk.log.frame(walk.state, walk.state.top);
  walk.say("to caller at {}:", walk.next);
  walk.log.frame(walk.state, walk.state.top - 1);
}

}  // namespace

Checked leave_function(Walk& walk) {
  State& state = walk.state;
  if (walk.peek(0).kind == Kind::Stack) return walk.reject(EINVAL, "cannot return stack pointer to the caller");
  const bool is_callback = state.frame().called_as == CallKind::Callback;
  const auto callsite = static_cast<std::size_t>(state.frame().callsite);
  if (is_callback) {
    TRY_VOID(check_callback_returned(walk));
  } else {
    pass_result(state);
  }
  walk.next = is_callback ? callsite : callsite + 1;
  show_return(walk);
  state.frames[state.top] = FrameRef{};
  state.marks[state.top] = Marks{};
  --state.top;
  if (!is_callback) return {};
  if (const Checkpoint* before = previous_visit(walk, state, walk.next)) widen_imprecise(walk, before->state, state);
  return {};
}

bool all_released(Walk& walk, bool exception_exit) {
  const State& state = walk.state;
  // Newer kernels leave callbacks to the end of the main program.
  const bool answers = walk.rules == Rules::Linux612 && state.frame().called_as == CallKind::Callback;
  if (!exception_exit && state.top != 0 && !answers) return true;
  bool released = true;
  for (const Reference& reference : state.references) {
    if (!exception_exit && !is_of_callback(state, reference)) continue;
    walk.say("Unreleased reference id={} alloc_insn={}", reference.id, reference.insn);
    released = false;
  }
  return released;
}

Checked check_resources(Walk& walk, bool exception_exit, std::string_view what) {
  const State& state = walk.state;
  if (state.lock.object != 0) return walk.reject(EINVAL, "{} cannot be used inside bpf_spin_lock-ed region", what);
  if (!all_released(walk, exception_exit)) return walk.reject(EINVAL, "{} would lead to reference leak", what);
  if (state.in_rcu) return walk.reject(EINVAL, "{} cannot be used inside bpf_rcu_read_lock-ed region", what);
  if (state.preempt_depth != 0)
    return walk.reject(EINVAL, "{} cannot be used inside bpf_preempt_disable-ed region", what);
  return {};
}

Checked step_exit(Walk& walk, const isa::Insn&) {
  TRY_VOID(check_held(walk));
  if (walk.state.top != 0) return leave_function(walk);
  TRY_VOID(check_returned(walk));
  walk.changes = Changes::all();
  walk.ended = true;
  return {};
}

}  // namespace skep::verifier
