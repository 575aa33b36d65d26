// Which loads and stores go through the context pointer: a forward data-flow pass over all paths of a program.
//
// The context is lowered (exec/lower_context.h), so each access must be known to be one, always or never. A
// value is followed through moves, additions of constants, spills to the stack, calls of subprograms, and callbacks,
// which reach their caller's spills through the pointer they are given. Constants are followed too, so that branches
// that cannot be taken (fields that the running kernel does not have) are not looked at.
//
// The pass joins over all paths and never looks at what a verifier explored. A spill slot that is written through a
// pointer of unknown offset keeps its value; a program that relied on that is none a verifier accepts. Subprograms are
// analysed once for all their callers. Cost: linear in practice, some passes over loops. Tested by:
// exec/context_flow_test.cc.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "exec/image.h"

namespace skep::exec {

struct ContextAccess {
  std::uint32_t insn;
  std::int32_t offset;  // from the start of the context
};

struct ContextFlow {
  std::vector<ContextAccess> accesses;  // sorted by insn
  std::vector<bool> reached;            // by instruction: control may come there
};

// `insns` must have passed check_structure. In a context that is plain memory nothing is looked for but `reached`.
// EACCES, in the kernel's words, for an instruction whose base is the context on one path and something else on
// another, a context pointer with an offset of its own, or an atomic operation on the context.
Result<ContextFlow> follow_context(std::span<const isa::Insn> insns, std::span<const Subprogram> subprograms,
                                   ContextKind context);

}  // namespace skep::exec
