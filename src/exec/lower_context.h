// Rewrites the accesses a program makes to its context into accesses to the structure it really gets (packet/).
//
// What the program may access, and the words in which it is refused, is spec's context table; where the value is,
// exec/context_model.def. Pointers are 4 bytes in a context and 8 in the model. No rewritten access needs a
// register besides its own. Narrow loads rely on the byte order of the host being little-endian.
// Tested by: exec/lower_context_test.cc.
#pragma once

#include <span>

#include "base/result.h"
#include "exec/context_flow.h"
#include "exec/image.h"
#include "exec/rewriter.h"

namespace skep::exec {

// Adds the replacement of every access to `rewriter`. EACCES in the kernel's words for what programs of the image's
// type and attach type may not access, EOPNOTSUPP for fields that have no model.
Result<> lower_context(const Image& image, std::span<const ContextAccess> accesses, Rewriter& rewriter);

}  // namespace skep::exec
