#include "verifier/step/walk.h"

namespace skep::verifier {
namespace {

using isa::Insn;
using isa::Op;

constexpr std::uint8_t kPseudoCall = 1, kPseudoKfunc = 2;
constexpr std::uint8_t kCall = 0x85, kExit = 0x95, kOperation = 0xf0;
constexpr std::uint8_t kModeMask = 0xe0, kImmediate = 0x00, kAbsolute = 0x20, kIndirect = 0x40, kAtomic = 0xc0;

Checked step_call(Walk& walk, const Insn& insn) {
  if (insn.code != kCall || (insn.src != kPseudoKfunc && insn.off != 0) || insn.src > kPseudoKfunc || insn.dst != 0)
    return walk.reject(EINVAL, "BPF_CALL uses reserved fields");
  Checked done;
  switch (insn.src) {
    case kPseudoCall: done = step_local_call(walk, insn); break;
    case kPseudoKfunc: done = step_kfunc_call(walk, insn); break;
    default: done = step_helper_call(walk, insn); break;
  }
  walk.changes.registers |= 1;
  return done;
}

Checked step_jump_class(Walk& walk, Op op, const Insn& insn) {
  ++walk.jumps_processed;
  switch (insn.code & kOperation) {
    case kCall& kOperation: return step_call(walk, insn);
    case kExit& kOperation:
      if (insn.code != kExit || insn.imm != 0 || insn.src != 0 || insn.dst != 0)
        return walk.reject(EINVAL, "BPF_EXIT uses reserved fields");
      return step_exit(walk, insn);
    default: return step_jump(walk, op, insn);
  }
}

Checked step_load_class(Walk& walk, Op op, const Insn& insn) {
  switch (insn.code & kModeMask) {
    case kImmediate: return step_load_constant(walk, op, insn);
    case kAbsolute:
    case kIndirect: return step_packet_load(walk, op, insn);
    default: return walk.reject(EINVAL, "invalid BPF_LD mode");
  }
}

}  // namespace

Checked step(Walk& walk) {
  const isa::Insn& insn = walk.input.insns[walk.index];
  const isa::Op op = walk.insn_info().op;
  walk.next = walk.index + 1;
  walk.insn_info().is_seen |= !walk.state.speculative;
  switch (insn.code & 0x07) {
    case 0x00: return step_load_class(walk, op, insn);
    case 0x01: return step_load(walk, op, insn);
    case 0x02: return step_store(walk, op, insn);
    case 0x03: return (insn.code & kModeMask) == kAtomic ? step_atomic(walk, op, insn) : step_store(walk, op, insn);
    case 0x05:
    case 0x06: return step_jump_class(walk, op, insn);
    default: return step_alu(walk, op, insn);
  }
}

}  // namespace skep::verifier
