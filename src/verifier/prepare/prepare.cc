#include "verifier/prepare/prepare.h"

namespace skep::verifier {
namespace {

// Who may load how much is asked before; what is not known here is no verdict.
Checked check_circumstances(Walk& walk) {
  const spec::VerifyInput& input = walk.input;
  if (input.insns.empty() || input.insns.size() > isa::kMaxInsns) return walk.reject(E2BIG, "");
  if (!input.rights.bpf || !input.rights.perfmon) return walk.unsupported("programs of unprivileged users");
  return {};
}

}  // namespace
Checked prepare(Walk& walk) {
  TRY_VOID(check_circumstances(walk));
  walk.info.assign(walk.input.insns.size(), InsnInfo{});
  TRY_VOID(read_functions(walk));
  TRY_VOID(find_subprograms(walk));
  TRY_VOID(check_subprograms(walk));
  TRY_VOID(match_functions(walk));
  TRY_VOID(resolve_constants(walk));
  TRY_VOID(check_flow(walk));
  TRY_VOID(check_target(walk));
  mark_fastcalls(walk);
  if (walk.rules != Rules::Linux612) compute_liveness(walk);
  return {};
}

}  // namespace skep::verifier
