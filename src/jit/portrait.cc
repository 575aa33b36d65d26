#include <algorithm>

#include "jit/program.h"
#include "jit/tools.h"

namespace skep::jit {
namespace {

std::string symbol_of(const Program& program, const Function& function) {
  if (!function.name.empty()) return "bpf_prog_" + function.name;
  const std::string& name = program.image().name;
  const std::string whole = name.empty() ? "bpf_prog" : "bpf_prog_" + name;
  return function.insn == 0 ? whole : whole + "_at_" + std::to_string(function.insn);
}

}  // namespace

Portrait portrait_of(const Program& program) {
  Portrait portrait{.code = program.code(), .functions = {}, .layout = program.layout()};
  const std::vector<exec::SourceLine>& lines = program.image().lines;
  const std::vector<std::uint32_t> offsets = portrait.layout.offsets(program.image().insns.size());
  auto line = lines.begin();
  const std::vector<Function> functions = jit::functions(program);
  for (std::size_t i = 0; i < functions.size(); ++i) {
    const auto start = static_cast<std::uint32_t>(functions[i].code.data() - portrait.code.data());
    const std::size_t whole_end = start + functions[i].code.size();
    const auto end = static_cast<std::uint32_t>(std::min<std::size_t>(whole_end, portrait.layout.shared));
    Portrait::Function made{
        .symbol = symbol_of(program, functions[i]), .offset = start, .bytes = end - start, .lines = {}};
    const std::size_t last_insn = i + 1 < functions.size() ? functions[i + 1].insn : offsets.size();
    for (; line != lines.end() && line->insn < last_insn; ++line)
      made.lines.push_back({offsets[line->insn], line->line, line->file});
    portrait.functions.push_back(std::move(made));
  }
  return portrait;
}

}  // namespace skep::jit
