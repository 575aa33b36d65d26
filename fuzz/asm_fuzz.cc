// Any text as assembly, in both syntaxes: an error or a program, which prints and assembles to the same bits.
// links: skep_isa
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "isa/asm.h"
#include "isa/disasm.h"

namespace {

using namespace skep::isa;

void expect(bool truth) {
  if (!truth) __builtin_trap();
}

void read(std::string_view text, Syntax syntax) {
  const auto program = assemble(text, no_symbols(), syntax);
  if (!program) return expect(program.error().message.starts_with("line "));
  expect(program->lines.size() == program->insns.size());
  for (const Reference& reference : program->references) expect(reference.insn + 1 < program->insns.size());
  for (const Label& label : program->labels) expect(label.insn <= program->insns.size());
  const auto back = assemble(disassemble(program->insns, no_names(), {.text = Text::Source}));
  expect(back && back->insns == program->insns);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 1 << 16) return 0;
  const std::string text(data, data + size);
  read(text, Syntax::Kernel);
  read(text, Syntax::Mnemonic);
  return 0;
}
