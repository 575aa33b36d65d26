// The control flow of a program: subprograms, basic blocks, edges, reverse post-order.
//
// A subprogram starts at instruction 0 and wherever a local call (src 1) or a load of a function's address (ld_imm64
// src 4) points, and reaches to the next start, as in Linux. A basic block ends before a jump target and
// behind a jump or exit; calls do not end blocks. Second slots of 64-bit immediates belong to the first.
//
// Building is total: an edge that would leave the subprogram or land in the middle of an instruction is left out and
// told as a Flaw, so that the graph is sound for whatever is in it; who wants a well-formed program asks that there
// be no flaws. Linux rejects every one of them, but in its own order and words, which are the verifier's concern.
//
// Invariants: blocks are in program order and cover all slots; a block's subprogram contains its edges; block_of has
// one entry a slot. Cost: linear in time and memory; no recursion. Immutable once made, any thread may read. Tested by:
// isa/cfg_test.cc, fuzz/isa_fuzz.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "isa/disasm.h"
#include "isa/insn.h"

namespace skep::isa {

using BlockId = std::uint32_t;    // index into Cfg::blocks
using SubprogId = std::uint32_t;  // index into Cfg::subprogs; 0 is the main program

enum class EdgeKind : std::uint8_t { FallThrough, Taken };

struct Edge {
  BlockId to;
  EdgeKind kind;

  friend bool operator==(const Edge&, const Edge&) = default;
};

struct Block {
  std::size_t begin;  // slots [begin, end)
  std::size_t end;
  std::size_t last;  // index of its last instruction
  SubprogId subprog;
  bool reachable;                // from the subprogram's entry
  std::vector<Edge> successors;  // fall-through first
  std::vector<BlockId> predecessors;
};

struct Subprog {
  std::size_t begin;  // slots [begin, end)
  std::size_t end;
  BlockId entry;                            // its blocks are [entry, entry of the next subprogram)
  std::vector<SubprogId> callees;           // called, or address taken, in order of first mention, without repetition
  std::vector<BlockId> reverse_post_order;  // of its reachable blocks, entry first
};

enum class FlawKind : std::uint8_t {
#define FLAW(name, text) name,
#include "isa/flaw.def"
};

struct Flaw {
  FlawKind kind;
  std::size_t insn;     // the instruction that jumps, calls or falls; the first one of unreachable code
  std::int64_t target;  // where to; for unreachable code one behind its last slot

  friend bool operator==(const Flaw&, const Flaw&) = default;
};
std::string_view text(FlawKind kind) noexcept;
std::string describe(const Flaw& flaw);  // "insn 3: jump out of the program, to 99"

struct Cfg {
  std::vector<Block> blocks;
  std::vector<Subprog> subprogs;
  std::vector<BlockId> block_of;  // by slot
  std::vector<Flaw> flaws;        // in program order, then in the order of flaw.def

  // The subprogram that starts at `insn`, if one does.
  const Subprog* subprog_at(std::size_t insn) const noexcept;
};

// The graph of any instruction stream, up to 2^32 - 1 slots.
Cfg make_cfg(std::span<const Insn> program);

// The graph in the language of Graphviz: one cluster a subprogram, one box a block with its instructions; taken edges
// are labelled, unreachable blocks dashed.
std::string to_dot(const Cfg& cfg, std::span<const Insn> program, const Names& names = no_names(),
                   const PrintOptions& options = {});

}  // namespace skep::isa
