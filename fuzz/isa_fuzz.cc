// Any bytes as a program: decoding, legality, printing, the graph; and what Text::Source prints assembles to the
// same bits.
// links: skep_isa
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "isa/asm.h"
#include "isa/cfg.h"
#include "isa/disasm.h"
#include "isa/op.h"

namespace {

using namespace skep::isa;

void expect(bool truth) {
  if (!truth) __builtin_trap();
}

void look_at(const std::vector<Insn>& program, std::size_t index) {
  const Insn& insn = program[index];
  const Op op = decode(insn);
  if (op != Op::Invalid) expect(info(op).code == insn.code && decode(encode(op)) == op);
  for (const Dialect dialect : {Dialect::Rfc9669, Dialect::Linux}) {
    const Illegal why = check(program, index, dialect);
    if (op == Op::Invalid) expect(why != Illegal::None);
    expect(!text(why).empty());
  }
  expect(((reads(op, insn) | writes(op, insn)) & ~0x7ff) == 0);
  expect(jump_target(op, insn, index).has_value() == is_jump(op));
}

void look_at_graph(const std::vector<Insn>& program) {
  const Cfg cfg = make_cfg(program);
  std::size_t covered = 0;
  for (const Block& block : cfg.blocks) covered += block.end - block.begin;
  expect(covered == program.size() && cfg.block_of.size() == program.size());
  for (const Flaw& flaw : cfg.flaws) expect(!describe(flaw).empty());
  expect(!to_dot(cfg, program).empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<Insn> program(size / sizeof(Insn));
  if (program.size() > 1024) return 0;
  if (!program.empty()) std::memcpy(program.data(), data, program.size() * sizeof(Insn));

  for (std::size_t i = 0; i < program.size(); ++i) look_at(program, i);
  look_at_graph(program);
  disassemble(program, no_names(), {.stage = Stage::Translated, .bytes = Show::Yes});

  const PrintOptions source{.text = Text::Source, .code = size % 2 ? Show::Yes : Show::No};
  const auto back = assemble(disassemble(program, no_names(), source));
  expect(back && back->insns == program);
  return 0;
}
