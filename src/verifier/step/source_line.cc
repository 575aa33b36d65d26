#include "verifier/step/source_line.h"

#include <algorithm>

#include "btf/ext.h"

namespace skep::verifier {

void show_source_line(Walk& walk, std::size_t index) {
  if (!walk.log.on() || walk.input.btf == nullptr || walk.lines.empty()) return;
  const auto behind = std::ranges::upper_bound(walk.lines, index, {}, &btf::LineInfo::insn_off);
  if (behind == walk.lines.begin()) return;
  const btf::LineInfo* line = &*(behind - 1);
  const btf::LineInfo* shown = walk.shown_line;
  if (line == shown) return;
  if (shown != nullptr && shown->file_name_off == line->file_name_off && shown->line() == line->line()) return;
  std::string_view text = walk.input.btf->string(line->line_off).value_or("");
  text.remove_prefix(std::min(text.find_first_not_of(" \t\n\v\f\r"), text.size()));
  std::string_view file = walk.input.btf->string(line->file_name_off).value_or("");
  file.remove_prefix(file.rfind('/') + 1);
  walk.say("; {} @ {}:{}", text, file, line->line());
  walk.shown_line = line;
}

}  // namespace skep::verifier
