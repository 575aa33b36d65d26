// A program as Linux shows it to those who ask (`bpftool prog dump xlated`): with what it rewrites for its own engines.
//
// Divisions get guards against zero and overflow, may_goto a counter on the stack, helpers that are a few instructions
// become these, and so does bpf_loop with one callback; calls name their function by number. Our engines run the
// program without all that: division is total, may_goto an instruction. What would be an address of the kernel is 0
// here. Arithmetic of pointers gets masks and stores barriers where the loader may not have it read ahead of itself.
// Not shown: maps' look-ups. Pure. Cost: linear. Source: the observable behaviour of Linux 6.12 with a just-in-time
// compiler on x86-64. Tested by: verifier/finish/translate_test.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "isa/insn.h"
#include "spec/verify.h"

namespace skep::verifier {

struct ShownFunction {
  std::uint32_t start = 0;
  std::uint32_t stack_depth = 0;  // bytes that the program uses itself
};

struct Shown {
  std::vector<isa::Insn> insns;
  std::vector<std::uint32_t> moved;  // by old index, and one past the end: where it went
};

// Everything sorted by place. Helpers are calls by number; kernel functions that only cast are calls by `casts`, their
// BTF ids. Nothing when a jump becomes too long.
std::optional<Shown> translate(std::span<const isa::Insn> insns, std::span<const ShownFunction> functions,
                               const spec::Rewrites& rewrites, std::span<const std::int32_t> casts);

// What a function needs on its stack for this, beside its own: the registers of loops, the counter of may_goto.
std::uint32_t stack_for_loops(std::uint32_t stack_depth) noexcept;
inline constexpr std::uint32_t kMayGotoStack = 8;

}  // namespace skep::verifier
