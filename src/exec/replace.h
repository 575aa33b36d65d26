// Programs some of whose functions are the whole of other programs: what BPF_PROG_TYPE_EXT attaches.
//
// The replaced function becomes a call of the other program, behind the last instruction, and an exit: who calls it,
// callbacks and all, need not know. So it is one frame deeper, and what it contained is gone. Nothing is known of the
// registers of the whole (Facts): each part was verified without the other. Cost: linear. Tested by:
// exec/replace_test.cc.
#pragma once

#include <cstddef>
#include <span>

#include "base/result.h"
#include "exec/doors.h"

namespace skep::exec {

struct Replacement {
  std::size_t subprogram = 0;  // its number in the target's list
  const Source* by = nullptr;  // takes the same arguments
};

// `target` with its functions replaced, each once; for the door through which the parts went, as the target's type. Its
// list of subprograms has all of them. Errors: EINVAL for a number that is none; EOPNOTSUPP for a function of one
// instruction, where no call has room, and for parts with arenas of their own.
Result<Source> replace(const Source& target, std::span<const Replacement> parts);

}  // namespace skep::exec
