// A program on its way from accepted bytecode to an engine, in two stages.
//
// Image: portable. Lowered instructions (context accesses rewritten to the model of src/packet, fall-through
// order as accepted) plus relocations: map ids and helper ids, never addresses; it may travel to another
// process. Executable: bound in one process by an engine (exec/executable.h).
// An Image is made through the named doors of exec/doors.h and no others.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "isa/insn.h"
#include "spec/barrier.h"
#include "spec/facts.h"
#include "spec/types.h"

namespace skep::exec {

// What the address loaded by an ld_imm64 at `insn`, or called there, is replaced by when bound.
struct Relocation {
  enum class Kind : std::uint8_t {
    Map,       // handle of map `id`
    MapValue,  // direct_value() of map `id`, plus `offset`
    Helper,    // body of helper `id`
    Kfunc,     // body of the kernel function in row `id` of spec::kfuncs()
  };
  std::uint32_t insn = 0;
  Kind kind = Kind::Map;
  std::uint32_t id = 0;
  std::uint32_t offset = 0;
};

struct SourceLine {
  std::uint32_t insn = 0;  // first lowered instruction of the line
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  std::string file;
  std::string text;
};

struct Subprogram {
  std::uint32_t start = 0;  // of its first lowered instruction
  std::string name;         // from func_info; empty when unknown
};

// The context its instructions were lowered for: what r1 points to at the entry.
enum class ContextKind : std::uint8_t {
  Memory,   // plain bytes (r1 = address, r2 = length): conformance vectors, syscall programs
  XdpBuff,  // packet::XdpBuff
  SkBuff,   // packet::SkBuff
};

struct Image {
  spec::ProgType type = spec::ProgType::Unspec;
  std::uint32_t attach_type = 0;
  ContextKind context = ContextKind::Memory;
  std::string name;
  std::vector<isa::Insn> insns;
  std::vector<Relocation> relocations;  // sorted by insn
  std::vector<Subprogram> subprograms;  // sorted by start; the first is main
  std::vector<SourceLine> lines;        // sorted by insn
  std::vector<std::uint32_t> places;    // by instruction of what was lowered: where it is now; empty: where it was
  std::shared_ptr<const spec::Facts> facts = nullptr;  // by lowered instruction; null: nothing is known
  std::vector<spec::Barrier> barriers = {};            // against speculation, by lowered instruction
  std::vector<std::uint32_t> probed = {};              // spec::VerifiedProgram's, by lowered instruction
  std::vector<std::uint32_t> arena_accesses = {};      // likewise
  spec::MapId arena = spec::MapId::None;               // that they, and casts of addresses, are of
  bool masks_indices = false;  // of array look-ups, so that a processor that guesses stays inside, too
  bool is_deep = false;        // its calls may go further down than those of one verified program
  bool uses_cpu = false;       // touches per-CPU state: a run needs a virtual CPU
};

}  // namespace skep::exec
