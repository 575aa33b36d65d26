// Which helper a program may call, by its type, where it will be attached and the loader's capabilities.
//
// The table (helper_sets.def) names groups of helpers and says which groups a program type sees; it describes
// Linux 6.12. Whether the program's license suffices is the row's Gpl trait, whether it may sleep the Sleeps trait;
// neither is looked at here. Cost: a few bit tests. Tested by: spec/helper_access_test.cc, against the running kernel.
#pragma once

#include <cstdint>
#include <string_view>

#include "spec/helpers.h"
#include "spec/types.h"

namespace skep::spec {

// What the loader of the program may do: CAP_BPF, and CAP_PERFMON (which helpers that look into the kernel need).
struct LoaderRights {
  bool bpf = true;
  bool perfmon = true;
};

bool helper_allowed(ProgType type, AttachType attach, HelperId id, LoaderRights rights = {}) noexcept;

// Where a program is attached to a kernel function, and whether programs may sleep there (hooks of security modules).
struct FunctionTarget {
  std::string_view name;
  bool may_sleep = false;
};
// Some helpers ask for certain functions.
bool helper_allowed_at(const FunctionTarget& target, ProgType type, AttachType attach, HelperId id) noexcept;

// The signature of the helper as programs of this type see it: nearly always helper(id).
const Helper& signature(ProgType type, HelperId id) noexcept;

}  // namespace skep::spec
