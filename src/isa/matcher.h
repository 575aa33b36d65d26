// Matches one line of assembly against the patterns of a syntax. Internal to isa/asm.cc.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "isa/asm.h"
#include "isa/insn.h"
#include "isa/op.h"
#include "isa/pattern.h"

namespace skep::isa {

// What is left to do once all labels are known.
struct Fixup {
  enum class Kind : std::uint8_t {
    Off,     // distance to the label into off
    Imm,     // distance to the label into imm
    Callee,  // label, helper or kfunc
  };
  Kind kind;
  std::string name;
};

// One instruction as read.
struct Parsed {
  Op op = Op::Invalid;
  Insn low;
  Insn high;  // second slot of a 64-bit immediate
  std::optional<Fixup> fixup;
  std::optional<Reference> reference;  // its insn is not set
};

// A form of an operation, in the language of opcodes.def.
struct FormText {
  Op op;
  std::string text;
};

// All forms of a syntax, found by the first character of a line.
class PatternSet {
 public:
  explicit PatternSet(std::vector<FormText> texts);
  PatternSet(const PatternSet&) = delete;  // patterns point into the texts
  PatternSet& operator=(const PatternSet&) = delete;

  const std::vector<const Pattern*>& starting_with(char c) const { return by_first_[static_cast<unsigned char>(c)]; }
  const std::vector<Pattern>& all() const { return patterns_; }

 private:
  std::vector<FormText> texts_;
  std::vector<Pattern> patterns_;
  std::array<std::vector<const Pattern*>, 256> by_first_;
};
const PatternSet& patterns(Syntax syntax);
std::vector<FormText> mnemonic_forms();  // mnemonics.cc

// The instruction `line` is, if `code` is given one with that code byte; else what was found and expected.
Result<Parsed> match(std::string_view line, Syntax syntax, std::optional<std::uint8_t> code);

// Characters of names: letters, digits, _ . $
bool is_word(char c) noexcept;

}  // namespace skep::isa
