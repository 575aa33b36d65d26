// Unwind tables of compiled code, in the form of .eh_frame: for gdb, perf and the process's own unwinder. Internal to
// jit/.
//
// One CIE, one FDE a function, made from the steps that the compiler noted of its frames (x64/layout.h), so that frames
// are found at every instruction, prologues and epilogues included. What functions share has no table: a program that
// is being stopped cannot be unwound. Source: Linux Standard Base, .eh_frame; DWARF 4, section 6.4; the System V ABI
// for registers. Tested by: jit/unwind_test.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "jit/tools.h"

namespace skep::jit {

// How a table names the code it is about.
struct Addressing {
  enum class Kind : std::uint8_t { Absolute, Relative } kind = Kind::Absolute;
  // Relative (to where a number stands): how far the table is behind the first byte of the code.
  std::int64_t table_behind_code = 0;
};

// Of the functions [first, last) of a portrait, whose code begins where the first of them does; ends with a zero.
std::vector<std::byte> unwind_table(const Portrait& portrait, std::size_t first, std::size_t last,
                                    Addressing addressing);

}  // namespace skep::jit
