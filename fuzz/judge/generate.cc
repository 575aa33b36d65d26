#include "judge/generate.h"

#include <algorithm>

#include "judge/author.h"
#include "judge/mutate.h"

namespace skep::judge {
namespace {

Result<Program> written(Class about, std::uint64_t seed, const isa::Symbols& symbols) {
  Author author(about, seed);
  const std::string text = author.write();
  auto assembly = isa::assemble(text, symbols);
  if (!assembly) return std::unexpected(std::move(assembly.error()));
  Program program{.type = author.target().type,
                  .attach = author.target().attach,
                  .flags = author.flags(),
                  .insns = std::move(assembly->insns),
                  .maps = map_names(*assembly),
                  .functions = {}};
  if (!author.functions().empty()) program.functions.push_back({0, "main"});
  for (const isa::Label& label : assembly->labels) {
    const auto known = std::ranges::find(author.functions(), label.name, &Author::Label::name);
    if (known != author.functions().end()) program.functions.push_back({label.insn, known->prototype});
  }
  return program;
}

}  // namespace

std::vector<MapName> map_names(const isa::Assembly& assembly) {
  std::vector<MapName> names;
  for (const isa::Reference& reference : assembly.references)
    if (reference.kind == isa::Reference::Kind::MapName) names.push_back({reference.insn, reference.name});
  return names;
}

Result<Program> generate(Class about, std::uint64_t seed, const isa::Symbols& symbols) {
  if (about != Class::Mutations) return written(about, seed, symbols);
  Mutator mutator(seed);
  const auto& known = real_programs();
  const std::size_t pick = mutator.pick(known.size() + known.size() / 3);
  Result<Program> base = pick < known.size() ? read(known[pick], symbols)
                                             : written(static_cast<Class>(mutator.pick(kClasses - 1)), seed, symbols);
  if (base) mutator.mutate(*base);
  return base;
}

}  // namespace skep::judge
