// An image to x86-64 machine code: two linear passes, one that looks (survey.h) and one that writes.
//
// Pure: what the code needs to know of this process comes in the Order, and where the code will stand is said by
// fixups. docs/design/jit.md has the conventions of the code. Tested by: jit/x64/compile_test.cc, and by everything
// that compares engines (runtime/engines_test.cc).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "exec/image.h"
#include "exec/relocate.h"
#include "jit/x64/code_buffer.h"
#include "jit/x64/features.h"
#include "jit/x64/layout.h"

namespace skep::jit::x64 {

// Why compiled code stops its program.
enum class Stop : std::uint8_t { NoHelper, NoKfunc, BadInstruction, Budget };

// Addresses of what compiled code calls besides helpers.
struct Services {
  std::uint64_t stop = 0;         // (Call&, slot, Stop): does not return
  std::uint64_t abandon = 0;      // (Call&): the program was stopped by a callback; does not return
  std::uint64_t tail_call = 0;    // (Call&, r1, map, index): where to go on with rdi = Call&, or 0
  std::uint64_t load_packet = 0;  // (Call&, offset, bytes): the value, or all ones
};

// Whether the code takes what it runs from Call::budget. It is taken block by block: a program stops before the first
// block that it cannot run to the end.
enum class Counting : std::uint8_t { No, Yes };

// What the code does against whoever writes programs to attack the process that runs them.
struct Hardening {
  // The seed of numbers that hide the program's constants: none of its immediates stands in the code (blinding.cc).
  // 0: they do.
  std::uint64_t blinding = 0;
  bool retpolines = false;  // no indirect jump or call that the processor could guess (thunks in flow.cc)
  bool barriers = true;     // those of Image::barriers
};

enum class Wanted : std::uint8_t { Code, Layout };

// Addresses between which the code will stand.
struct Place {
  std::uint64_t first = 0, last = 0;
  // Whether a call from anywhere in it reaches `address` with a 32-bit distance.
  bool reaches(std::uint64_t address) const noexcept {
    constexpr std::uint64_t kReach = 0x7fff'0000;
    return last - address + kReach < 2 * kReach && first - address + kReach < 2 * kReach;
  }
};

struct Order {
  const exec::Image& image;
  // By slot: an ld_imm64's value (functions apart), the address of a helper's or kernel function's body.
  std::span<const std::uint64_t> values;
  std::span<const maps::Recipe> recipes;  // of maps that `values` name
  std::span<maps::Map* const> maps = {};  // that they name
  exec::KnownTables known = {};
  std::span<const std::uint64_t> helpers;  // bodies by id, for calls through registers; stays where it is
  spec::ArenaPlace arena = {};             // of the image's arena_accesses and casts
  std::uint64_t program = 0;               // what Call::program is while this program runs
  std::uint64_t found_as = 0;              // where its exec::Executable::found_as is; 0: nowhere
  std::uint64_t clock = 0;                 // exec::ClockReader; 0: helpers are called
  std::int32_t owner = 0;  // where this_owner() is from a thread's pointer, 0 while not known; 0: nowhere
  Services services = {};
  Features features = {};
  Place place = {};
  Counting counting = Counting::No;
  Hardening hardening = {};
  Wanted wanted = Wanted::Code;

  bool has_barriers() const noexcept { return hardening.barriers && !image.barriers.empty(); }
  // One instruction after the other: nothing is fused, and no helper written in place of its call.
  bool is_plain() const noexcept { return hardening.blinding != 0 || has_barriers(); }
};

struct Code {
  std::vector<std::uint8_t> bytes;
  std::vector<Fixup> fixups;
  std::vector<std::uint32_t> entries;  // of the subprograms
  std::uint32_t body = 0;              // of the program, behind what makes its frame
  std::uint32_t frame = 0;             // the frame's shape, as exec::JumpTarget has it
  bool guarded = false;  // the program may be stopped, or helpers may call it back: it must be entered by the guard
  Layout layout;         // if it was wanted
};

// EINVAL when calls nest deeper than a verifier allows.
Result<Code> compile(const Order& order);

}  // namespace skep::jit::x64
