#include "verifier/explore/explored.h"

#include <algorithm>

#include "verifier/facts/record.h"
#include "verifier/facts/value.h"
#include "verifier/step/walk.h"

namespace skep::verifier {

Explored::Place& Explored::at(std::size_t insn) {
  if (insn >= places_.size()) places_.resize(insn + 1);
  return places_[insn];
}

void Explored::gather(const Walk& walk) {
  walk.checkpoints.for_each([&](const Checkpoint& checkpoint) {
    Place& place = at(checkpoint.insn);
    const State& state = checkpoint.state;
    const Marks& marks = state.marks[state.top];
    const Frame& frame = *state.frames[state.top];
    for (unsigned reg = 0; reg < isa::kRegisters; ++reg) {
      const Register& value = frame.registers[reg];
      const bool holds = value.is_scalar() && ((marks.precise & marks.read()) >> reg & 1) != 0;
      if (!holds) place.claimed &= static_cast<std::uint16_t>(~(1U << reg));
      place.numbers[reg] = place.is_visited ? join(place.numbers[reg], value.number) : value.number;
    }
    place.is_visited = true;
  });
}

spec::Facts Explored::claims(const spec::VerifiedProgram& program) const {
  using Reach = spec::Facts::Reach;
  spec::Facts facts;
  facts.entries.assign(program.insns.size(), {.reach = Reach::Anew});
  for (std::size_t i = 0; i < program.insns.size(); ++i) {
    auto& entry = facts.entries[i];
    entry.first = static_cast<std::uint32_t>(facts.claims.size());
    const std::uint32_t origin = program.origins[i];
    if (origin >= places_.size() || !places_[origin].is_visited) continue;
    const Place& place = places_[origin];
    for (unsigned reg = 0; reg < isa::kRegisters; ++reg) {
      if ((place.claimed >> reg & 1) == 0) continue;
      facts.claims.push_back(spec::Facts::Claim::of(reg, static_cast<std::uint32_t>(facts.values.size())));
      facts.values.push_back({.kind = spec::Fact::Kind::Number, .numbers = numbers_of(place.numbers[reg])});
      ++entry.count;
    }
  }
  return facts;
}

}  // namespace skep::verifier
