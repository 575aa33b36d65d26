// Loads of 64-bit constants. What each of them is was found before the walk (prepare/constants.cc).
#include "btf/btf.h"
#include "verifier/step/walk.h"

namespace skep::verifier {
namespace {

using isa::Insn;
using isa::Op;

Checked load_function(Walk& walk, const Insn& insn) {
  const auto subprog = walk.subprog_at(static_cast<std::size_t>(static_cast<std::int64_t>(walk.index) + insn.imm + 1));
  if (walk.funcs.empty()) return walk.reject(EINVAL, "missing btf func_info");
  const btf::Type function = walk.input.btf->type(walk.funcs[*subprog].type_id);
  if (function.linkage() != btf::Linkage::Static) return walk.reject(EINVAL, "callback function not static");
  Register value = Register::pointer(Kind::Function);
  value.subprog = *subprog;
  walk.set(insn.dst, value);
  return {};
}

Register special(const InsnInfo& info) {
  Register value = Register::pointer(info.constant, info.constant_traits);
  value.word = info.which;
  if (info.constant == Kind::Btf) value.btf = spec::kKernelBtf;
  if (info.constant == Kind::MapValue) value.offset = static_cast<std::int32_t>(info.offset);
  return value;
}

}  // namespace

Checked step_load_constant(Walk& walk, Op, const Insn& insn) {
  if (insn.off != 0) return walk.reject(EINVAL, "BPF_LD_IMM64 uses reserved fields");
  TRY_VOID(walk.check_write(insn.dst));
  const InsnInfo& info = walk.insn_info();
  walk.next = walk.index + 2;
  switch (info.constant) {
    case Kind::Unset:
      walk.set(insn.dst, Register::constant(isa::imm64(insn, walk.input.insns[walk.index + 1])));
      return {};
    case Kind::Scalar: walk.set(insn.dst, Register::unknown()); return {};  // an arena's
    case Kind::Function: return load_function(walk, insn);
    default: walk.set(insn.dst, special(info)); return {};
  }
}

}  // namespace skep::verifier
