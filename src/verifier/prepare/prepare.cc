#include "verifier/prepare/prepare.h"

namespace skep::verifier {

Checked prepare(Walk& walk) {
  const std::size_t count = walk.input.insns.size();
  if (count == 0 || count > isa::kMaxInsns) return walk.reject(E2BIG, "");
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
