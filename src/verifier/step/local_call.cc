// Calls of subprograms: a frame is entered, or, for a global function, its prototype is believed.
#include "verifier/step/call.h"
#include "verifier/step/global.h"

namespace skep::verifier {
namespace {

constexpr unsigned kFirstArgument = 1, kLastArgument = 5;

std::array<Register, 6> passed(const Walk& walk) {
  std::array<Register, 6> arguments;
  for (unsigned i = kFirstArgument; i <= kLastArgument; ++i) arguments[i] = walk.peek(i);
  return arguments;
}

// What was known of the arguments' marks goes along: who reads them reads the caller's.
void pass_marks(const Marks& from, unsigned frame, Marks& to) {
  constexpr std::uint16_t kArguments = 0x3e;
  to.written = from.written & kArguments;
  to.precise = from.precise & kArguments;
  for (unsigned i = kFirstArgument; i <= kLastArgument; ++i) to.ancestor[i] = from.ancestor_of(i, frame);
}

Checked enter(Walk& walk, std::uint32_t subprog) {
  State& state = walk.state;
  const unsigned caller = state.top;
  TRY_VOID(push_frame(walk, state, subprog, passed(walk)));
  pass_marks(state.marks[caller], caller, state.marks[state.top]);
  --state.top;  // the caller's registers are clobbered, not the callee's
  walk.clobber_caller_saved();
  ++state.top;
  walk.next = walk.subprogs[subprog].start;
  if (!walk.log.shows_walk()) return {};
  walk.say("caller:");
  walk.log.frame(state, caller);
  walk.say("callee:");
  walk.log.frame(state, state.top);
  return {};
}

void forget_packet_pointers(Walk& walk) {
  walk.state.update_registers([](const Register& reg) { return reg.is_packet() || reg.kind == Kind::PacketEnd; },
                              [&](Register& reg) { reg = walk.may_leak ? Register::unknown() : Register{}; });
}

// Where a global function may not be called whatever its arguments are.
Checked check_surroundings(Walk& walk, const Subprog& function) {
  const State& state = walk.state;
  if (state.lock.object != 0) {
    walk.say("global function calls are not allowed while holding a lock,");
    return walk.reject(EINVAL, "use static function instead");
  }
  if (walk.rules == Rules::Linux612) {
    if (state.preempt_depth == 0) return {};
    walk.say("global function calls are not allowed with preemption disabled,");
    return walk.reject(EINVAL, "use static function instead");
  }
  if (!function.might_sleep || (state.may_sleep && !state.in_rcu && state.preempt_depth == 0)) return {};
  walk.say("global functions that may sleep are not allowed in non-sleepable context,");
  walk.say("i.e., in a RCU/IRQ/preempt-disabled section, or in");
  return walk.reject(EINVAL, "a non-sleepable BPF program context");
}

Checked believe(Walk& walk, std::uint32_t subprog, bool fits) {
  Subprog& function = walk.subprogs[subprog];
  const spec::Rejection misfit = fits ? spec::Rejection{} : *walk.rejection;
  TRY_VOID(check_surroundings(walk, function));
  if (!fits) return walk.reject(misfit.code, "Caller passes invalid args into func#{} ('{}')", subprog, function.name);
  walk.say("Func#{} ('{}') is global and assumed valid.", subprog, function.name);
  for (unsigned i = 0; i < function.prototype->count; ++i) walk.mark_read(i + 1, true);
  if (function.changes_packet) forget_packet_pointers(walk);
  function.is_called = true;
  walk.clobber_caller_saved();
  walk.reg(0) = Register::unknown();
  return {};
}

}  // namespace

Checked push_frame(Walk& walk, State& state, std::uint32_t subprog, const std::array<Register, 6>& arguments) {
  if (state.top + 1 >= isa::kMaxFrames)
    return walk.reject(E2BIG, "the call stack of {} frames is too deep", state.top + 2);
  Frame callee;
  callee.callsite = static_cast<std::int32_t>(walk.index);
  callee.subprog = subprog;
  for (unsigned i = kFirstArgument; i <= kLastArgument; ++i) callee.registers[i] = arguments[i];
  Register& frame_pointer = callee.registers[isa::kRegisters - 1];
  frame_pointer = Register::pointer(Kind::Stack);
  frame_pointer.frame = static_cast<std::uint8_t>(state.top + 1);
  ++state.top;
  state.frames[state.top] = FrameRef(walk.pool, callee);
  state.marks[state.top] = Marks{};
  walk.changes = Changes::all();
  return {};
}

Checked step_local_call(Walk& walk, const isa::Insn& insn) {
  const auto target = static_cast<std::int64_t>(walk.index) + insn.imm + 1;
  const auto subprog = walk.subprog_at(static_cast<std::size_t>(target));
  if (!subprog) return walk.reject(EFAULT, "verifier bug. No program starts at insn {}", target);
  const Checked fits = check_call_arguments(walk, *subprog);
  if (!fits) {
    const spec::Rejection& why = *walk.rejection;
    if (why.code == EFAULT || is_unsupported(why)) return fits;
    if (!why.message.empty()) walk.say("{}", why.message);
  }
  if (walk.subprogs[*subprog].is_global) return believe(walk, *subprog, fits.has_value());
  walk.rejection.reset();
  return enter(walk, *subprog);
}

}  // namespace skep::verifier
