// What relocations and 64-bit immediates of an image are in this process, for whichever engine binds it.
//
// Linear in the image. Tested by: interp/run_test.cc (Bind), runtime/engines_test.cc.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "exec/executable.h"
#include "maps/recipe.h"
#include "spec/arena_place.h"

namespace skep::exec {

struct Values {
  // By instruction: the value of an ld_imm64 (0 where it names a function), the address of the body that a call of a
  // helper or kernel function goes to (0: there is none).
  std::vector<std::uint64_t> by_insn;
  std::vector<maps::Map*> maps;       // that the program's instructions name, without repetitions
  std::vector<maps::Recipe> recipes;  // of those of them that have one
  spec::ArenaPlace arena = {};        // without pages: the image has none
  KnownTables known = {};
  ClockReader clock = nullptr;
};

// ENOENT when a map is not there, EINVAL when it has no memory at an offset the program loads, or is to be the arena
// and is none.
Result<Values> relocate(const Image& image, const Bindings& bindings);

}  // namespace skep::exec
