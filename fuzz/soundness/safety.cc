#include "soundness/safety.h"

#include "soundness/trial.h"

namespace skep::soundness {

Safety safety_of(World& world, const judge::Program& program, std::uint32_t inputs) {
  Trial trial(world, program);
  if (trial.start() != Trial::Start::Ready) return {Safety::Kind::NotRun, trial.obstacle()};
  for (const Claims claims : kAllClaims)
    for (std::uint32_t input = 0; input < inputs; ++input)
      if (const auto failure = trial.run(claims, input)) return {Safety::Kind::Unsafe, failure->text()};
  return {};
}

}  // namespace skep::soundness
