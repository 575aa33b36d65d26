// The shape of a program that every engine takes for granted: each instruction is legal, control never leaves a
// subprogram but by exit, and calls name the first instruction of a subprogram.
//
// Linear in the program. Errors are EINVAL and name the instruction; jump errors use the kernel's words. Source:
// RFC 9669; check_subprogs and add_subprog_and_kfunc of Linux for the rules. Tested by: exec/structure_test.cc.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "exec/doors.h"

namespace skep::exec {

// Which instructions are legal. Any: those of either dialect, for programs of no type (conformance vectors).
enum class Legal : std::uint8_t { Linux, Any };

// The subprograms of `source`, sorted, the first at 0: those its own list names and those its calls
// and loads of function addresses name.
Result<std::vector<Subprogram>> check_structure(const Source& source, Legal legal);

// The index one past the last instruction of subprogram `which`.
inline std::size_t end_of(const std::vector<Subprogram>& subprograms, std::size_t which, std::size_t insns) {
  return which + 1 < subprograms.size() ? subprograms[which + 1].start : insns;
}

// "instruction 3 ("r1 = r2"): why".
Error error_at(std::span<const isa::Insn> insns, std::size_t index, std::string_view why, int code = EINVAL);

}  // namespace skep::exec
