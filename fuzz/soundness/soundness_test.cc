// That the soundness run runs programs, and that it would find a wrong claim of either kind.
#include "soundness/soundness.h"

#include <gtest/gtest.h>

#include "verifier/testing_maps.h"

namespace skep::soundness {
namespace {

judge::Program program(std::string_view text) {
  judge::Program made;
  made.type = spec::ProgType::Xdp;
  const auto assembled = isa::assemble(text, verifier::testing::HelperNames());
  EXPECT_TRUE(assembled) << text;
  made.insns = assembled->insns;
  return made;
}

// A number that a branch depends on, so that it is precise: 0 to 7 before the branch.
constexpr std::string_view kBranch = R"(
  r6 = *(u32 *)(r1 + 12)
  r6 &= 7
  r7 = 0
  if r6 > 3 goto pc+1
  r7 = 1
  r8 = r10
  r8 += -8
  r8 += r6
  *(u8 *)(r8 + 0) = 0
  r0 = 1
  exit)";

TEST(Trial, RunsAnAcceptedProgram) {
  World world;
  Trial trial(world, program(kBranch));
  ASSERT_EQ(trial.start(), Trial::Start::Ready) << trial.obstacle();
  for (const Claims claims : kAllClaims) {
    EXPECT_GT(trial.claims(claims), 0U);
    for (std::uint64_t seed = 0; seed < 50; ++seed) EXPECT_FALSE(trial.run(claims, seed));
  }
}

TEST(Trial, FindsAWrongClaimOfEitherKind) {
  World world;
  for (const Claims claims : kAllClaims) {
    Trial trial(world, program(kBranch));
    ASSERT_EQ(trial.start(), Trial::Start::Ready) << trial.obstacle();
    spec::Facts wrong = trial.facts(claims);
    std::size_t changed = 0;
    for (spec::Fact& fact : wrong.values) {
      if (fact.kind != spec::Fact::Kind::Number || fact.numbers.umax != 7) continue;
      fact.numbers.umax = 6;
      ++changed;
    }
    ASSERT_GT(changed, 0U);
    ASSERT_TRUE(trial.replace_facts(claims, wrong));
    std::size_t found = 0;
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
      const auto failure = trial.run(claims, seed);
      if (!failure) continue;
      EXPECT_EQ(failure->kind, exec::Failure::Kind::WrongFact);
      ++found;
    }
    EXPECT_GT(found, 0U);
    EXPECT_LT(found, 200U);
  }
}

TEST(Trial, SaysWhyItDoesNotRunAProgram) {
  World world;
  EXPECT_EQ(Trial(world, program("exit")).start(), Trial::Start::Rejected);
  judge::Program other = program("r0 = 0\nexit");
  other.type = spec::ProgType::SkLookup;
  EXPECT_EQ(Trial(world, other).start(), Trial::Start::NotHere);
  other = program("r1 = map[fd:0]\nr0 = 0\nexit");
  other.maps = {{0, "locks"}};
  EXPECT_EQ(Trial(world, other).start(), Trial::Start::NotHere);
}

// A short slice of what `make soundness` does.
TEST(Soundness, NothingIsViolated) {
  const Report report = run({.programs = 3'000, .seed = 1, .inputs = 10}, [](const Report&) {});
  EXPECT_EQ(report.violated_runs, 0U) << to_text(report);
  EXPECT_EQ(report.all_programs(), 3'000U);
  EXPECT_GT(report.all_runs(), 10'000U) << to_text(report);
  EXPECT_GT(report.claims[0], 10'000U);
  EXPECT_GT(report.claims[1], 500U);
}

TEST(Soundness, TheSameSeedGivesTheSameRun) {
  const auto once = [] { return run({.programs = 200, .seed = 7, .inputs = 3}, [](const Report&) {}); };
  const Report a = once(), b = once();
  EXPECT_EQ(a.programs, b.programs);
  EXPECT_EQ(a.runs, b.runs);
  EXPECT_EQ(a.claims, b.claims);
}

}  // namespace
}  // namespace skep::soundness
