// LD_ABS and LD_IND: bytes of the packet by offset, from the skb in r6, with the program's end where there are none.
#include "verifier/step/access.h"
#include "verifier/step/call.h"

namespace skep::verifier {
namespace {

using isa::Insn;
using isa::Op;
using spec::ProgType;

constexpr unsigned kSkb = 6;  // the register that must hold the skb
constexpr std::uint8_t kSize = 0x18, kDoubleWord = 0x18, kMode = 0xe0, kAbsolute = 0x20;

bool is_allowed(ProgType type) {
  return type == ProgType::SocketFilter || type == ProgType::SchedCls || type == ProgType::SchedAct;
}

// The load may end the program, and nothing must be left behind then.
Checked check_no_resources(Walk& walk) {
  if (walk.frame().called_as != CallKind::ExceptionCallback) {
    bool leaks = false;
    for (const Reference& reference : walk.state.references) {
      if (reference.callback_frame != 0 && reference.callback_frame != walk.state.top) continue;
      walk.say("Unreleased reference id={} alloc_insn={}", reference.id, reference.insn);
      leaks = true;
    }
    if (leaks) return walk.reject(EINVAL, "BPF_LD_[ABS|IND] cannot be mixed with socket references");
  }
  if (walk.state.lock.object != 0)
    return walk.reject(EINVAL, "BPF_LD_[ABS|IND] cannot be used inside bpf_spin_lock-ed region");
  if (walk.state.in_rcu)
    return walk.reject(EINVAL, "BPF_LD_[ABS|IND] cannot be used inside bpf_rcu_read_lock-ed region");
  if (walk.state.preempt_depth != 0)
    return walk.reject(EINVAL, "BPF_LD_[ABS|IND] cannot be used inside bpf_preempt_disable-ed region");
  return {};
}

}  // namespace

Checked step_packet_load(Walk& walk, Op, const Insn& insn) {
  if (!is_allowed(walk.type))
    return walk.reject(EINVAL, "BPF_LD_[ABS|IND] instructions not allowed for this program type");
  const bool absolute = (insn.code & kMode) == kAbsolute;
  if (insn.dst != 0 || insn.off != 0 || (insn.code & kSize) == kDoubleWord || (absolute && insn.src != 0))
    return walk.reject(EINVAL, "BPF_LD_[ABS|IND] uses reserved fields");
  TRY_VOID(walk.check_read(kSkb));
  TRY_VOID(check_no_resources(walk));
  if (walk.peek(kSkb).kind != Kind::Context)
    return walk.reject(EINVAL, "at the time of BPF_LD_ABS|IND R6 != pointer to skb");
  if (!absolute) TRY_VOID(walk.check_read(insn.src));
  TRY_VOID(check_pointer_offset(walk, walk.peek(kSkb), kSkb));
  walk.clobber_caller_saved();
  walk.set(0, Register::unknown());
  if (walk.state.top == 0) return {};
  // Where the packet has no such bytes the function ends, with 0.
  TRY_VOID(walk.fork(walk.index + 1));
  walk.reg(0) = Register::constant(0);
  return leave_function(walk);
}

}  // namespace skep::verifier
