#include "isa/pattern.h"

namespace skep::isa {
namespace {

bool operand_at(std::string_view text, std::size_t at) {
  return at + 1 < text.size() && text[at] == '%' && is_operand(text[at + 1]);
}

bool alone(char c) { return std::string_view("()[],").find(c) != std::string_view::npos; }

// End of the literal that starts at `at`: a bracket or comma by itself, else up to the next of anything.
std::size_t literal_end(std::string_view text, std::size_t at) {
  if (alone(text[at])) return at + 1;
  while (at < text.size() && text[at] != ' ' && !alone(text[at]) && !operand_at(text, at)) ++at;
  return at;
}

std::size_t register_prefix(std::string_view literal) {
  if (literal.ends_with("%r")) return 2;
  return literal.ends_with('r') || literal.ends_with('w') ? 1 : 0;
}

void add_literal(Pattern& pattern, std::string_view literal) {
  if (!literal.empty()) pattern.pieces.push_back({Piece::Kind::Literal, 0, literal});
}

}  // namespace

Pattern parse_pattern(Op op, std::string_view text) {
  Pattern pattern{op, {}};
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == ' ') {
      ++at;
      continue;
    }
    if (operand_at(text, at)) {
      pattern.pieces.push_back({Piece::Kind::Operand, text[at + 1], {}});
      at += 2;
      continue;
    }
    const std::size_t end = literal_end(text, at);
    const std::string_view literal = text.substr(at, end - at);
    const bool before_register = operand_at(text, end) && (text[end + 1] == 'd' || text[end + 1] == 's');
    const std::size_t prefix = before_register ? register_prefix(literal) : 0;
    add_literal(pattern, literal.substr(0, literal.size() - prefix));
    at = end;
    if (prefix == 0) continue;
    pattern.pieces.push_back({Piece::Kind::Register, text[end + 1], literal.substr(literal.size() - prefix)});
    at += 2;
  }
  return pattern;
}

}  // namespace skep::isa
