// Speculative execution, for loaders whose programs must not read what they could not read otherwise.
//
// A processor may run ahead past a comparison, or with an operand of its guess. Of pointer arithmetic by a register the
// fixups therefore mask the operand, with a limit that depends on how far the pointer is from its object's ends
// (InsnInfo::alu_masking, alu_limit), which must be the same on every path. Here that limit is chosen, and the path on
// which the mask made the operand zero is walked too (State::speculative), as jump.cc does with the sides of branches
// that are never taken. A pointer must not leave its object in the first place. Does nothing where
// Walk::bypasses_spec_v1. Source: the observable algorithm of Linux 6.12. Tested by: verifier/explore/memory_test.cc
// and the selftests.
#pragma once

#include <cstdint>

#include "verifier/step/walk.h"

namespace skep::verifier {

// One pointer plus or minus a number. begin() before the operation, with its operands; finish() when the destination
// register holds the result.
class PointerMasking {
 public:
  PointerMasking(Walk& walk, const isa::Insn& insn) noexcept : walk_(walk), insn_(insn) {}

  Checked begin(const Register& pointer, const Register& number);
  Checked finish();

 private:
  enum class Reason : std::uint8_t { Bounds, Type, Paths, Limit, Stack };

  bool is_needed() const noexcept;
  bool adds() const noexcept;
  std::unexpected<Rejected> refuse(Reason reason) const;
  // How far the pointer may move, in bytes.
  CheckedOf<std::uint32_t> limit_of(const Register& pointer) const;
  Checked choose(std::uint8_t masking, std::uint32_t limit, std::uint8_t& chosen, std::uint32_t& chosen_limit) const;
  Checked fork_with_zero(const Register& pointer);

  Walk& walk_;
  const isa::Insn& insn_;
  bool number_is_destination_ = false;
  bool to_the_left_ = false;
  std::uint8_t masking_ = 0;
  std::uint32_t limit_ = 0;
};

// A sum of two numbers, where other paths may have had a pointer.
Checked note_number_sum(Walk& walk, const isa::Insn& insn);
// What must hold of the pointer in the destination after any arithmetic.
Checked check_pointer_in_object(Walk& walk, const isa::Insn& insn);

}  // namespace skep::verifier
