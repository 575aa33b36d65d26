#include "soundness/minimise.h"

#include "judge/edit.h"

namespace skep::soundness {
namespace {

bool still_fails(World& world, const judge::Program& program, Claims claims, std::uint64_t seed,
                 exec::Failure::Kind kind) {
  Trial trial(world, program);
  if (trial.start() != Trial::Start::Ready) return false;
  const auto failure = trial.run(claims, seed);
  return failure && failure->kind == kind;
}

}  // namespace

judge::Program minimised(World& world, judge::Program program, Claims claims, std::uint64_t seed,
                         exec::Failure::Kind kind) {
  for (bool smaller = true; smaller;) {
    smaller = false;
    for (std::size_t i = program.insns.size(); i-- > 0;) {
      if (program.insns[i].code == 0) continue;  // the second slot of a 64-bit immediate
      judge::Program simpler = program;
      judge::erase(simpler, i, judge::slots_at(program, i));
      if (!still_fails(world, simpler, claims, seed, kind)) continue;
      program = std::move(simpler);
      smaller = true;
    }
  }
  return program;
}

}  // namespace skep::soundness
