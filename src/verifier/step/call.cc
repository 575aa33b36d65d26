// Calls, and the end of a program.
#include <algorithm>

#include "spec/helper_access.h"
#include "spec/helpers.h"
#include "verifier/step/call.h"

namespace skep::verifier {
namespace {

using isa::Insn;
using spec::HelperId;

// Helpers that take nothing and give a number of which nothing is known.
constexpr HelperId kPlain[] = {HelperId::ktime_get_ns, HelperId::get_prandom_u32, HelperId::ktime_get_boot_ns,
                               HelperId::jiffies64, HelperId::ktime_get_tai_ns};

// Programs whose return value may be anything.
bool returns_anything(spec::ProgType type) {
  switch (type) {
    case spec::ProgType::SocketFilter:
    case spec::ProgType::SchedCls:
    case spec::ProgType::SchedAct:
    case spec::ProgType::Xdp: return true;
    default: return false;
  }
}

}  // namespace

Checked step_local_call(Walk& walk, const Insn&) { return walk.unsupported("calls of subprograms"); }
Checked step_kfunc_call(Walk& walk, const Insn&) { return walk.unsupported("calls of kfuncs"); }
Checked start_function(Walk& walk, std::uint32_t) {
  walk.reg(1) = Register::pointer(Kind::Context);
  walk.reg(isa::kRegisters - 1) = Register::pointer(Kind::Stack);
  return {};
}

Checked step_helper_call(Walk& walk, const Insn& insn) {
  const spec::Helper* helper = spec::find_helper(static_cast<std::uint32_t>(insn.imm));
  if (helper == nullptr) return walk.reject(EINVAL, "invalid func unknown#{}", insn.imm);
  if (!spec::helper_allowed(walk.input.type, walk.input.attach, helper->id, walk.input.rights))
    return walk.reject(EINVAL, "program of this type cannot use helper bpf_{}#{}", helper->name, insn.imm);
  if (helper->is(spec::HelperTrait::Gpl) && walk.input.license != spec::License::Gpl)
    return walk.reject(EINVAL, "cannot call GPL-restricted function from non-GPL compatible program");
  if (std::ranges::find(kPlain, helper->id) == std::end(kPlain)) return walk.unsupported("helper bpf_{}", helper->name);
  walk.clobber_caller_saved();
  walk.set(0, Register::unknown());
  return {};
}

Checked step_exit(Walk& walk, const Insn&) {
  if (!returns_anything(walk.input.type)) return walk.unsupported("the return value of this program type");
  TRY_VOID(walk.check_read(0));
  walk.ended = true;
  return {};
}

}  // namespace skep::verifier
