#include "verifier/prepare/callee.h"

#include "btf/btf.h"
#include "spec/helpers.h"
#include "spec/kfuncs.h"

namespace skep::verifier {
namespace {

using spec::HelperTrait;

Callee helper_callee(const isa::Insn& insn) {
  const spec::Helper* helper = spec::find_helper(static_cast<std::uint32_t>(insn.imm));
  if (helper == nullptr) return {};
  return {.calls_back = helper->is(HelperTrait::Calls),
          .calls_back_later = helper->is(HelperTrait::CallsLater),
          .is_iterator_next = false,
          // What is called instead may have moved the packet.
          .changes_packet = helper->is(HelperTrait::MovesPacket) || helper->id == spec::HelperId::tail_call,
          .might_sleep = helper->is(HelperTrait::Sleeps)};
}

Callee kfunc_callee(std::string_view name) {
  const spec::Kfunc* kfunc = spec::find_kfunc(name);
  return {.calls_back = name == "bpf_rbtree_add_impl",
          .calls_back_later = name == "bpf_wq_set_callback_impl",
          .is_iterator_next = kfunc != nullptr && kfunc->is(spec::KfuncTrait::IterNext),
          .changes_packet = false,
          .might_sleep = kfunc != nullptr && kfunc->is(spec::KfuncTrait::Sleeps)};
}

}  // namespace

std::string_view kfunc_name(const Walk& walk, const isa::Insn& insn) {
  const btf::Btf* types = walk.input.kernel_btf;
  const auto id = static_cast<std::uint32_t>(insn.imm);
  if (types == nullptr || insn.off != 0 || id == 0 || !types->has(id)) return {};
  return types->type(id).name();
}

Callee callee_of(const Walk& walk, const isa::Insn& insn) {
  if (code::is_call(insn, code::kHelper)) return helper_callee(insn);
  return code::is_call(insn, code::kKfunc) ? kfunc_callee(kfunc_name(walk, insn)) : Callee{};
}

}  // namespace skep::verifier
