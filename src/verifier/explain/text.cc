#include <fmt/format.h>

#include "verifier/explain/explain.h"

namespace skep::verifier {
namespace {

std::string where(const Place& place) { return fmt::format("{}:{}", place.file, place.line); }

// The line, and a caret below the column.
std::string shown(const Place& place) {
  const std::string head = fmt::format("  {}:  ", where(place));
  return fmt::format("{}{}\n{:>{}}\n", head, place.text, '^', head.size() + place.column + 1);
}

std::string shown(const Because& because) {
  const std::string source =
      because.place ? fmt::format("{}: {}", because.place->line, because.place->text) : because.text;
  return fmt::format("  {}\n      insn {}: {}\n", source, because.insn, because.says);
}

}  // namespace

std::string to_text(const Explanation& explanation) {
  std::string out = fmt::format("  what: {}\n", explanation.what);
  if (explanation.place)
    out += shown(*explanation.place);
  else if (!explanation.text.empty())
    out += fmt::format("  insn {}: {}\n", explanation.insn, explanation.text);
  if (!explanation.known.empty()) out += fmt::format("  known: {} is {}\n", explanation.subject, explanation.known);
  if (!explanation.needed.empty()) out += fmt::format("  needed: {}\n", explanation.needed);
  if (!explanation.because.empty() || !explanation.missing.empty()) out += "  because:\n";
  for (const Because& because : explanation.because) out += "  " + shown(because);
  if (!explanation.missing.empty()) out += fmt::format("    ... {}\n", explanation.missing);
  if (!explanation.hint.empty()) out += fmt::format("  hint: {}\n", explanation.hint);
  return out + fmt::format("  the verifier: {} (insn {})\n", explanation.message, explanation.insn);
}

}  // namespace skep::verifier
