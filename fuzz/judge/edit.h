// Changes of a program that keep its jumps, calls, maps and functions pointed at what they meant. Where an instruction
// is taken out, what led to it leads to the one behind it. Cost: linear in the program.
#pragma once

#include <cstddef>

#include "judge/program.h"

namespace skep::judge {

// How many slots the instruction at `index` takes: 2 for a whole ld_imm64.
std::size_t slots_at(const Program& program, std::size_t index);

// Takes out the `count` slots from `index` on.
void erase(Program& program, std::size_t index, std::size_t count);

// Repeats the instruction at `index` behind itself, with its map.
void duplicate(Program& program, std::size_t index);

// Exchanges the instructions of one slot at `a` and `b`, which jump where they did.
void exchange(Program& program, std::size_t a, std::size_t b);

}  // namespace skep::judge
