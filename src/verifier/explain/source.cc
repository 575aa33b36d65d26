#include "verifier/explain/source.h"

#include <algorithm>
#include <array>

#include "btf/ext.h"

namespace skep::verifier {
namespace {

constexpr std::string_view kBlank = " \t";
constexpr std::array<std::string_view, 11> kKeywords = {"return", "if",   "for",      "while", "do", "switch",
                                                        "sizeof", "goto", "continue", "else",  "asm"};

bool in_name(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

// Where the bracket that `text[close]` closes is; npos when there is none.
std::size_t opening(std::string_view text, std::size_t close) {
  const char ours = text[close], other = ours == ']' ? '[' : '(';
  int depth = 0;
  for (std::size_t i = close + 1; i-- > 0;) {
    depth += text[i] == ours ? 1 : text[i] == other ? -1 : 0;
    if (depth == 0) return i;
  }
  return std::string_view::npos;
}
std::size_t closing(std::string_view text, std::size_t open) {
  int depth = 0;
  for (std::size_t i = open; i < text.size(); ++i) {
    depth += text[i] == '[' ? 1 : text[i] == ']' ? -1 : 0;
    if (depth == 0) return i;
  }
  return std::string_view::npos;
}

// The beginning of the expression that ends before `end`: names with ->, . and brackets between them.
std::size_t begin_of(std::string_view text, std::size_t end) {
  std::size_t at = end;
  for (;;) {
    while (at > 0 && text[at - 1] == ']') {
      const std::size_t open = opening(text, at - 1);
      if (open == std::string_view::npos) return at;
      at = open;
    }
    while (at > 0 && in_name(text[at - 1])) --at;
    if (at >= 2 && text.substr(at - 2, 2) == "->")
      at -= 2;
    else if (at >= 1 && text[at - 1] == '.')
      at -= 1;
    else
      return at;
  }
}

// The end of the one whose name begins at `at`, with what follows in square brackets.
std::size_t end_of(std::string_view text, std::size_t at) {
  while (at < text.size() && in_name(text[at])) ++at;
  while (at < text.size() && text[at] == '[') {
    const std::size_t close = closing(text, at);
    if (close == std::string_view::npos) break;
    at = close + 1;
  }
  return at;
}

std::optional<Expression> make(std::string_view text, std::size_t begin, std::size_t end) {
  const std::string_view whole = text.substr(begin, end - begin);
  std::size_t length = 0;
  while (length < whole.size() && in_name(whole[length])) ++length;
  const std::string_view base = whole.substr(0, length);
  const bool is_number = !base.empty() && base[0] >= '0' && base[0] <= '9';
  if (base.empty() || is_number || std::ranges::find(kKeywords, base) != kKeywords.end()) return std::nullopt;
  if (end < text.size() && text[end] == '(') return std::nullopt;  // a call
  const bool dereferences = begin > 0 && text[begin - 1] == '*';
  return Expression{(dereferences ? "*" : "") + std::string(whole), std::string(base)};
}

}  // namespace

std::optional<Place> place_of(const Walk& walk, std::size_t insn) {
  if (walk.input.btf == nullptr) return std::nullopt;
  const auto found = btf::locate(*walk.input.btf, walk.lines, static_cast<std::uint32_t>(insn));
  if (!found || found->text.empty()) return std::nullopt;
  const std::size_t indent = std::min(found->text.find_first_not_of(kBlank), found->text.size());
  const std::size_t column = found->column > indent ? found->column - 1 - indent : 0;
  return Place{.file = std::string(found->file.substr(found->file.rfind('/') + 1)),
               .line = found->line,
               .column = static_cast<std::uint32_t>(column),
               .text = std::string(trimmed(found->text))};
}

std::optional<Expression> expression_at(std::string_view line, std::size_t column) {
  if (column >= line.size()) return std::nullopt;
  if (line[column] == '*' && column + 1 < line.size() && in_name(line[column + 1])) ++column;
  if (in_name(line[column])) return make(line, begin_of(line, column), end_of(line, column));
  const std::size_t left = line.find_last_not_of(kBlank, column == 0 ? 0 : column - 1);
  if (column == 0 || left == std::string_view::npos) return std::nullopt;
  return make(line, begin_of(line, left + 1), left + 1);
}

std::optional<std::string> argument_of(std::string_view line, std::string_view function, unsigned number) {
  const std::size_t name = line.find(function);
  if (name == std::string_view::npos) return std::nullopt;
  std::size_t at = name + function.size();
  if (at >= line.size() || line[at] != '(') return std::nullopt;
  int depth = 0;
  std::size_t begin = ++at;
  for (; at < line.size(); ++at) {
    const char c = line[at];
    if (depth == 0 && (c == ',' || c == ')')) {
      if (--number == 0) return std::string(trimmed(line.substr(begin, at - begin)));
      if (c == ')') return std::nullopt;
      begin = at + 1;
    }
    depth += c == '(' || c == '[' ? 1 : c == ')' || c == ']' ? -1 : 0;
  }
  return std::nullopt;
}

std::optional<std::string> stored_in(std::string_view line) {
  const std::size_t equals = line.find(" = ");
  if (equals == std::string_view::npos) return std::nullopt;
  const std::string_view value = line.substr(equals + 3);
  return std::string(trimmed(value.substr(0, value.find(';'))));
}

std::optional<std::string> assigned_in(std::string_view line) {
  const std::size_t equals = line.find('=');
  if (equals == std::string_view::npos || equals == 0 || line.substr(equals, 2) == "==") return std::nullopt;
  if (std::string_view("<>!+-*/&|^%").find(line[equals - 1]) != std::string_view::npos) return std::nullopt;
  const std::size_t last = line.find_last_not_of(kBlank, equals - 1);
  if (last == std::string_view::npos) return std::nullopt;
  const auto found = make(line, begin_of(line, last + 1), last + 1);
  return found ? std::optional(found->text[0] == '*' ? found->text.substr(1) : found->text) : std::nullopt;
}

}  // namespace skep::verifier
