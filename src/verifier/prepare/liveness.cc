// Which registers may still be read, before each instruction.
#include <algorithm>

#include "btf/btf.h"
#include "spec/helper_access.h"
#include "verifier/prepare/callee.h"
#include "verifier/prepare/code.h"
#include "verifier/prepare/prepare.h"

namespace skep::verifier {
namespace {

using isa::Insn;
using isa::Op;

constexpr unsigned arguments(std::size_t count) { return ((1U << count) - 1) << 1; }

// What a call reads of r1 to r5: what its callee has parameters for, if that is known.
unsigned read_by_call(const Walk& walk, const Insn& insn) {
  if (code::is_call(insn, code::kHelper)) {
    const spec::Helper* helper = spec::find_helper(static_cast<std::uint32_t>(insn.imm));
    if (helper == nullptr || !spec::helper_allowed(walk.type, walk.attach, helper->id, walk.input.rights))
      return arguments(5);
    return arguments(spec::signature(walk.type, helper->id).arg_count());
  }
  if (kfunc_name(walk, insn).empty()) return arguments(5);
  const btf::Btf& types = *walk.input.kernel_btf;
  const btf::Type proto = types.type(types.type(static_cast<std::uint32_t>(insn.imm)).type());
  return arguments(std::min<std::size_t>(proto.vlen(), 5));
}

}  // namespace

void compute_liveness(Walk& walk) {
  const auto insns = walk.input.insns;
  std::vector<isa::RegisterSet> before(insns.size() + 1, 0);
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t i = insns.size(); i-- > 0;) {
      const Op op = isa::decode(insns[i]);
      if (op == Op::Invalid) continue;  // the second half of a constant
      unsigned after = 0;
      if (!isa::is_terminator(op)) after |= before[std::min(i + isa::slots(op), insns.size())];
      if (isa::is_jump(op)) after |= before[static_cast<std::size_t>(code::target(insns[i], i))];
      const unsigned reads = isa::is_call(op) ? read_by_call(walk, insns[i]) : isa::reads(op, insns[i]);
      const auto live = static_cast<isa::RegisterSet>((after & ~unsigned{isa::writes(op, insns[i])}) | reads);
      changed |= live != before[i];
      before[i] = live;
    }
  }
  walk.live_before = std::move(before);
}

}  // namespace skep::verifier
