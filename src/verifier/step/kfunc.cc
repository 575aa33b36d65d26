// Calls of kernel functions: whether the program may, what they do to the sections it is in.
#include "verifier/step/kfunc.h"

#include "verifier/step/call.h"

namespace skep::verifier {
namespace {

using spec::KfuncTrait;

bool may_hold_lock(const Walk& walk, const isa::Insn& insn) {
  const btf::Btf* kernel = walk.input.kernel_btf;
  const auto id = static_cast<std::uint32_t>(insn.imm);
  if (insn.off != 0 || kernel == nullptr || !kernel->has(id)) return false;
  const spec::Kfunc* row = spec::find_kfunc(kernel->type(id).name());
  return row != nullptr && row->is(KfuncTrait::UnderLock);
}

CheckedOf<KfuncCall> find_callee(Walk& walk, const isa::Insn& insn) {
  const btf::Btf* kernel = walk.input.kernel_btf;
  const auto id = static_cast<std::uint32_t>(insn.imm);
  if (insn.off != 0) return walk.unsupported("kernel functions of modules");
  if (kernel == nullptr) return walk.unsupported("kernel functions without the kernel's BTF");
  if (insn.imm <= 0 || !kernel->has(id) || kernel->type(id).kind() != btf::Kind::Func)
    return walk.reject(EINVAL, "kernel btf_id {} is not a function", insn.imm);
  const btf::Type function = kernel->type(id);
  const spec::Kfunc* row = spec::find_kfunc(function.name());
  if (row == nullptr || !spec::kfunc_allowed(*row, walk.type, walk.attach))
    return walk.reject(EACCES, "calling kernel function {} is not allowed", function.name());
  if (row->is(KfuncTrait::Later)) return walk.unsupported("kernel function {}", row->name);
  if (row->is(KfuncTrait::Destructive)) return walk.unsupported("destructive kernel functions");
  return KfuncCall{.row = *row, .types = *kernel, .id = id, .proto = kernel->type(function.type())};
}

// ---- Sections

// What was protected by the section that ends may be gone.
void distrust(Register& reg) { reg.traits = static_cast<Traits>((reg.traits & ~(kRcu | kOrNull)) | kUntrusted); }

void leave_rcu(Walk& walk) {
  State& state = walk.state;
  state.in_rcu = false;
  state.update_registers([](const Register& reg) { return reg.is(kRcu); }, distrust);
  for (unsigned f = 0; f <= state.top; ++f)
    for (std::size_t i = 0; i < state.frames[f]->stack.size(); ++i) {
      const Slot& slot = state.frames[f]->stack[i];
      if (slot.bytes.front() == ByteKind::Iterator && slot.spilled.is(kRcu))
        distrust(state.mutable_frame(f).stack[i].spilled);
    }
}

Checked follow_rcu(Walk& walk, const KfuncCall& call) {
  const bool locks = call.name() == "bpf_rcu_read_lock", unlocks = call.name() == "bpf_rcu_read_unlock";
  if (!walk.state.in_rcu) {
    if (unlocks) return walk.reject(EINVAL, "unmatched rcu read unlock (kernel function {})", call.name());
    walk.state.in_rcu = locks;
    return {};
  }
  if (locks) return walk.reject(EINVAL, "nested rcu read lock (kernel function {})", call.name());
  if (unlocks)
    leave_rcu(walk);
  else if (call.is(KfuncTrait::Sleeps))
    return walk.reject(EACCES, "kernel func {} is sleepable within rcu_read_lock region", call.name());
  return {};
}

Checked follow_preemption(Walk& walk, const KfuncCall& call) {
  const bool disables = call.name() == "bpf_preempt_disable", enables = call.name() == "bpf_preempt_enable";
  std::uint32_t& depth = walk.state.preempt_depth;
  if (disables)
    ++depth;
  else if (enables && depth == 0)
    return walk.reject(EINVAL, "unmatched attempt to enable preemption (kernel function {})", call.name());
  else if (enables)
    --depth;
  else if (depth != 0 && call.is(KfuncTrait::Sleeps))
    return walk.reject(EACCES, "kernel func {} is sleepable within non-preemptible region", call.name());
  return {};
}

Checked release(Walk& walk, const KfuncCall& call) {
  if (call.released == 0) return {};
  if (walk.release_reference(walk.peek(call.released).ref_obj_id)) return {};
  return walk.reject(EINVAL, "kfunc {}#{} reference has not been acquired before", call.name(), call.id);
}

}  // namespace

Checked step_kfunc_call(Walk& walk, const isa::Insn& insn) {
  if (walk.state.lock.object != 0 && !may_hold_lock(walk, insn))
    return walk.reject(EINVAL, "function calls are not allowed while holding a lock");
  if (insn.imm == 0) return {};  // a function that this kernel does not have; see check_absent_kfuncs()
  TRY(KfuncCall call, find_callee(walk, insn));
  if (call.is(KfuncTrait::Sleeps) && !walk.state.may_sleep)
    return walk.reject(EACCES, "program must be sleepable to call sleepable kfunc {}", call.name());
  TRY_VOID(check_kfunc_arguments(walk, call));
  TRY_VOID(follow_rcu(walk, call));
  TRY_VOID(follow_preemption(walk, call));
  TRY_VOID(release(walk, call));
  TRY_VOID(set_kfunc_result(walk, call));
  return call.is(KfuncTrait::IterNext) ? next_of_iterator(walk, call) : Checked{};
}

Checked check_absent_kfuncs(const Walk& walk) {
  constexpr std::uint8_t kCall = 0x85, kKfunc = 2;
  for (std::size_t i = 0; i < walk.input.insns.size(); ++i) {
    const isa::Insn& insn = walk.input.insns[i];
    if (insn.code == kCall && insn.src == kKfunc && insn.imm == 0 && walk.info[i].is_seen)
      return walk.reject(EINVAL, "invalid kernel function call not eliminated in verifier pass");
  }
  return {};
}

}  // namespace skep::verifier
