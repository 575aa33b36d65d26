// The surroundings that the public conformance vectors expect: a block of memory, helper 5, nothing else.
// Shared by their test and by the plug-in that the public runner drives. Internal to interp/.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "interp/interp.h"
#include "isa/insn.h"

namespace skep::interp {

// Bytes of a string of hex digits; blanks between bytes are skipped. EINVAL for anything else.
Result<std::vector<std::byte>> parse_hex(std::string_view text);

// Instructions from their bytes; EINVAL if that is not a multiple of 8.
Result<std::vector<isa::Insn>> parse_insns(std::span<const std::byte> bytes);

// r0 of the program, run on `memory` with r1 = its address (0 if it is empty) and r2 = its size. At most 2^32
// instructions.
Result<std::uint64_t> run_vector(std::vector<isa::Insn> insns, MutableBytes memory, Policy policy);

}  // namespace skep::interp
