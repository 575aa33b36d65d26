// The surroundings that the public conformance vectors expect: a block of memory, helper 5, nothing else.
// Shared by their test and by the plug-in that the public runner drives. Internal to interp/.
#pragma once

#include <memory>
#include <span>
#include <string>
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

// Makes the executable of an engine.
using Bind = Result<std::unique_ptr<exec::Executable>> (*)(std::shared_ptr<const exec::Image> image,
                                                           const exec::Bindings& bindings);

inline constexpr std::uint64_t kVectorBudget = std::uint64_t{1} << 32;

// r0 of the program, run on `memory` with r1 = its address (0 if it is empty) and r2 = its size. At most `budget`
// instructions; 0: as many as it takes.
Result<std::uint64_t> run_vector(std::vector<isa::Insn> insns, MutableBytes memory, Bind bind, std::uint64_t budget);
Result<std::uint64_t> run_vector(std::vector<isa::Insn> insns, MutableBytes memory, Policy policy);

// The public vectors, as a corpus directory has them (vectors.tsv); empty when there is none.
struct Vector {
  std::string name, r0, memory, insns;
};
std::vector<Vector> read_vectors(const std::string& file);

}  // namespace skep::interp
