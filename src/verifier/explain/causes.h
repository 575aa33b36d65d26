// The rows of causes.def, and the value that a row is about.
// Tested by: verifier/explain/explain_test.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "verifier/explain/facts.h"
#include "verifier/explain/origin.h"

namespace skep::verifier {

enum class Subject : std::uint8_t {
  None,
  Named,      // the register that the message names: {reg}
  Argument,   // the first register named by {reg} or {arg}, else r1
  Base,       // what the instruction accesses memory through
  Operand,    // the pointer that an arithmetic instruction works on
  Index,      // the number that was added to the pointer which the message names
  Result,     // r0
  Reference,  // what was taken at {alloc}, or the oldest reference held
  Detail,     // none; the line before the last says more
};

struct Cause {
  std::string_view name, pattern;
  Subject subject = Subject::None;
  std::string_view what, needed, hint;
};
std::span<const Cause> causes() noexcept;

// A value before a step of the trail.
struct Suspect {
  std::size_t step = 0;
  ValuePlace place;
};
// Nothing when the row is about no value, or the walk had not begun.
std::optional<Suspect> suspect_of(const Walk& walk, Subject subject, const Facts& facts);
// The register that the last instruction accesses memory through, or the number of the message.
std::optional<unsigned> base_register(const Walk& walk, const Facts& facts);

}  // namespace skep::verifier
