// Functions that are verified by themselves: reading their prototypes, starting them, checking calls of them.
// Tested by: verifier/explore/global_test.cc.
#pragma once

#include <cstdint>

#include "verifier/step/prototype.h"
#include "verifier/step/walk.h"

namespace skep::verifier {

// Reads the prototype of a subprogram, once. An error's text is in the log already (the rejection's is empty): EINVAL,
// EFAULT, EOPNOTSUPP, and what looking for a kernel type gives.
Checked read_prototype(Walk& walk, std::uint32_t subprog);

// The registers r1 to r5 against the prototype. Whether a call that does not fit is an error is the caller's to say.
Checked check_call_arguments(Walk& walk, std::uint32_t subprog);

// Refused because there are no rules for it here, not because it breaks one.
inline bool is_unsupported(const spec::Rejection& why) {
  return why.code == EOPNOTSUPP && why.message.starts_with("not supported yet: ");
}

}  // namespace skep::verifier
