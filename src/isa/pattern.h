// The text column of opcodes.def, taken apart for reading. Internal to isa: the printer walks the column itself,
// the assembler's two front ends match lines against these pieces. Tested by: isa/asm_test.cc.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "isa/op.h"

namespace skep::isa {

// Whether `%letter` stands for an operand. Beside those of opcodes.def: %J %L are targets that may be bare
// numbers, %C a subprogram by label.
constexpr bool is_operand(char letter) noexcept {
  return std::string_view("dsoixabqjJlLnmMtuhcCk").find(letter) != std::string_view::npos;
}

struct Piece {
  enum class Kind : std::uint8_t { Literal, Register, Operand };
  Kind kind;
  char letter;            // of an operand; d or s for a register
  std::string_view text;  // of a literal; the register's prefix ("r", "w", "%r")
};

struct Pattern {
  Op op;
  std::vector<Piece> pieces;  // point into the text
};

// Pieces of `text`, which must outlive them.
Pattern parse_pattern(Op op, std::string_view text);

}  // namespace skep::isa
