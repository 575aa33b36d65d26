// The named doors through which bytecode becomes an Image (ARCHITECTURE, walls). verify() is for what the verifier let
// through; an image from an authenticated host enters by receive() when hives have hosts.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "exec/image.h"

namespace skep::exec {

// A kernel function that a program calls: the number in its calls, and its row in spec::kfuncs().
struct CalledKfunc {
  std::int32_t btf_id = 0;
  std::uint32_t row = 0;
};

// A program as a hive hands it on: file descriptors are already resolved, so that the imm of an ld_imm64
// with src 1 and 5 (map) or 2 and 6 (map value) is a map id, and src is 1 or 2.
struct Source {
  spec::ProgType type = spec::ProgType::Unspec;
  std::uint32_t attach_type = 0;
  std::string name;
  std::vector<isa::Insn> insns;
  std::vector<Subprogram> subprograms;             // sorted by start; may be empty: then they are found by their calls
  std::vector<SourceLine> lines;                   // sorted by insn
  std::vector<CalledKfunc> kfuncs;                 // each once
  std::vector<spec::Barrier> barriers = {};        // that the verifier asks for, by instruction
  std::vector<std::uint32_t> probed = {};          // spec::VerifiedProgram's
  std::vector<std::uint32_t> arena_accesses = {};  // likewise
  spec::MapId arena = spec::MapId::None;           // that they are of
  std::shared_ptr<const spec::Facts> facts = nullptr;  // of a verified program's registers, by instruction
  bool is_deep = false;                                // several programs in one (exec/replace.h)
};

// For programs that the verifier accepted, and no others. Lowers the program as below; errors say what no engine here
// can run.
Result<Image> verify(const Source& source);

// For conformance and engine tests, and for programs that run under the checked policy only. Lowers the program:
// rewrites context accesses (exec/lower_context.h), collects relocations. `context` overrides the context of the
// program type (ContextKind::Memory: none is rewritten). Errors name the instruction, in the kernel's words where it
// has some:
//   EINVAL      undecodable or illegal instructions (of either dialect for ProgType::Unspec, else of Linux), jumps out
//   of a
//               subprogram, helpers that are unknown or not for this type; calls that cannot be reached are not looked
//               at
//   EACCES      context accesses that the type does not allow, or that cannot be told from others
//   EOPNOTSUPP  context fields that have no value here
//   E2BIG       more than isa::kMaxInsns instructions, before or after, or more than 256 subprograms
Result<Image> assume_verified(const Source& source, std::string_view reason);
Result<Image> assume_verified(const Source& source, ContextKind context, std::string_view reason);

}  // namespace skep::exec
