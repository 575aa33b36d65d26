// A random program from a class and a seed: the same two always give the same program.
//
// Nine classes (classes.def). All but mutations are written by an Author, about half of them without a slip;
// mutations change a few instructions of a written program, of a case of the verifier's own tests (verifier/explore) or
// of a compiled program (programs/). At least 30% of each class are accepted by Linux 6.18. Cost: about 0.1 ms.
// Tested by: judge/generate_test.cc.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "isa/asm.h"
#include "judge/program.h"

namespace skep::judge {

// `symbols` knows helpers and kernel functions; a program that asks for one it does not know is an error.
Result<Program> generate(Class about, std::uint64_t seed, const isa::Symbols& symbols);

// The maps an assembled text names.
std::vector<MapName> map_names(const isa::Assembly& assembly);

}  // namespace skep::judge
