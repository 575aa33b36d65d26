// An object file in memory that describes compiled code to a debugger: symbols, unwind tables, lines. It has no code of
// its own; addresses are where the code is. Internal to jit/. Source: ELF-64, DWARF 4. Tested by: jit/tools_test.cc,
// tests/jit (gdb).
#pragma once

#include <cstddef>
#include <vector>

#include "jit/tools.h"

namespace skep::jit {

std::vector<std::byte> debug_object(const Portrait& portrait);

}  // namespace skep::jit
