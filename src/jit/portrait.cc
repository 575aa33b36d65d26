#include "jit/tools.h"

namespace skep::jit {
namespace {

std::string symbol_of(const exec::Image& image, const exec::Subprogram& function) {
  if (!function.name.empty()) return "bpf_prog_" + function.name;
  const std::string whole = image.name.empty() ? "bpf_prog" : "bpf_prog_" + image.name;
  return function.start == 0 ? whole : whole + "_at_" + std::to_string(function.start);
}

}  // namespace

Portrait portrait_of(const exec::Image& image, std::span<const std::byte> at, const x64::Code& code) {
  Portrait portrait{.code = at, .functions = {}, .layout = code.layout};
  const std::vector<std::uint32_t> offsets = code.layout.offsets(image.insns.size());
  auto line = image.lines.begin();
  for (std::size_t i = 0; i < code.entries.size(); ++i) {
    const bool is_last = i + 1 == code.entries.size();
    const std::uint32_t end = is_last ? code.layout.shared : code.entries[i + 1];
    const std::size_t last_insn = is_last ? image.insns.size() : image.subprograms[i + 1].start;
    Portrait::Function function{.symbol = symbol_of(image, image.subprograms[i]),
                                .offset = code.entries[i],
                                .bytes = end - code.entries[i],
                                .lines = {}};
    for (; line != image.lines.end() && line->insn < last_insn; ++line)
      function.lines.push_back({offsets[line->insn], line->line, line->file});
    portrait.functions.push_back(std::move(function));
  }
  return portrait;
}

}  // namespace skep::jit
