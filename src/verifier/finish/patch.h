// Puts other instructions, or none, in the place of instructions, and keeps jumps and calls right.
//
// A jump to an instruction that is replaced goes to the first of what took its place, or to what follows it. Jumps
// within a replacement are taken as they are, but for the one that is said to go where the old instruction went. A
// 64-bit constant is one instruction. Cost: linear. Tested by: verifier/finish/patch_test.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "isa/insn.h"

namespace skep::verifier {

class Patch {
 public:
  explicit Patch(std::span<const isa::Insn> insns) : insns_(insns) {}

  static constexpr std::size_t kNoJump = ~std::size_t{0};
  // In ascending order of index, each once. `jump`: which of `with` goes where the old instruction jumped to.
  void replace(std::size_t index, std::span<const isa::Insn> with, std::size_t jump = kNoJump);
  void remove(std::size_t index) { replace(index, {}); }
  bool is_empty() const { return replacements_.empty(); }  // the program stays as it is

  // The new program; nothing when a jump became too long for its instruction.
  std::optional<std::vector<isa::Insn>> done();
  // After done(): where the instruction went that was at `index`, or else what follows it. index may be the size.
  std::uint32_t moved(std::size_t index) const { return position_[index]; }
  // And by new instruction the index of the one it stands for.
  const std::vector<std::uint32_t>& origins() const { return origins_; }

 private:
  struct Replacement {
    std::size_t index, from, count, jump;  // a stretch of pieces_
  };
  void place();
  bool retarget(isa::Insn& insn, std::size_t at, std::int64_t old_target) const;
  bool copy(std::size_t index, std::vector<isa::Insn>& out) const;

  std::span<const isa::Insn> insns_;
  std::vector<Replacement> replacements_;
  std::vector<isa::Insn> pieces_;
  std::vector<std::uint32_t> position_, origins_;
};

}  // namespace skep::verifier
