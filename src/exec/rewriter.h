// Replaces single instructions of a program by several and keeps everything that names an instruction right: jumps,
// calls, loads of function addresses, subprograms, source lines.
//
// A jump to a replaced instruction goes to the first of its replacement. A 16-bit jump that no longer reaches becomes
// a gotol, a conditional one a short jump around a gotol. Replacements may contain jumps among themselves; these
// are taken as they are. Cost: linear. Tested by: exec/rewriter_test.cc.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "exec/image.h"

namespace skep::exec {

class Rewriter {
 public:
  explicit Rewriter(std::span<const isa::Insn> insns) : insns_(insns) {}

  // `with` takes the place of the instruction at `index`, which is no jump, call or 64-bit immediate.
  // Replacements come in ascending order of index, at most one for each.
  void replace(std::size_t index, std::span<const isa::Insn> with);

  // The instructions with all replacements made. E2BIG when a program became too long to run.
  Result<std::vector<isa::Insn>> rewritten();
  // Where the instruction at `index` of the old program went; valid after rewritten().
  std::uint32_t moved(std::size_t index) const { return position_[index]; }

 private:
  struct Replacement {
    std::size_t index;
    std::size_t from;  // its stretch of pieces_
    std::size_t count;
  };
  void place();
  bool lengthen();
  bool reaches(std::size_t index, std::int64_t target) const;
  void copy(std::size_t index, std::vector<isa::Insn>& out) const;
  void copy_jump(std::size_t index, std::int64_t target, std::vector<isa::Insn>& out) const;

  std::span<const isa::Insn> insns_;
  std::vector<Replacement> replacements_;
  std::vector<isa::Insn> pieces_;
  std::vector<std::uint32_t> position_;  // by old index, and one past the end
  std::vector<bool> long_;               // jumps that need a gotol
};

}  // namespace skep::exec
