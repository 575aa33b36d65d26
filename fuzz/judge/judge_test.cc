// A slice of what `make fuzz` judges, with fixed seeds: every disagreement is a row of known_differences.def.
#include "judge/judge.h"

#include <gtest/gtest.h>

#include "judge/generate.h"
#include "judge/minimise.h"
#include "judge/tally.h"
#include "verifier/testing_maps.h"

namespace skep::judge {
namespace {

Judgement judgement(Opinion ours, Opinion theirs) { return {std::move(ours), std::move(theirs)}; }

TEST(Judgement, ComparesErrnoSentenceAndPlace) {
  EXPECT_EQ(judgement({}, {}).agreement(), Agreement::Accepted);
  EXPECT_EQ(judgement({}, {.error = EINVAL}).agreement(), Agreement::OnlyWeAccept);
  EXPECT_EQ(judgement({.error = EINVAL}, {}).agreement(), Agreement::OnlyWeReject);
  EXPECT_EQ(judgement({.error = EOPNOTSUPP}, {.error = EINVAL}).agreement(), Agreement::Unsupported);
  const Opinion opinion{.error = EACCES, .message = "R0 !read_ok", .insn = 3};
  EXPECT_EQ(judgement(opinion, opinion).agreement(), Agreement::Rejected);
  EXPECT_EQ(judgement(opinion, {.error = EACCES, .message = "R1 !read_ok", .insn = 3}).agreement(), Agreement::Unlike);
  EXPECT_EQ(judgement(opinion, {.error = EACCES, .message = "R0 !read_ok", .insn = 4}).agreement(), Agreement::Unlike);
  EXPECT_EQ(judgement(opinion, {.error = EACCES, .message = "R0 !read_ok"}).agreement(), Agreement::Rejected);
  EXPECT_EQ(judgement(opinion, {.error = EINVAL, .message = "R0 !read_ok", .insn = 3}).agreement(), Agreement::Unlike);
}

TEST(Judgement, NumbersAreBlankedInSignatures) {
  const Judgement one = judgement({.error = EACCES, .message = "R1 off=-8 size=4"}, {});
  const Judgement two = judgement({.error = EACCES, .message = "R10 off=16 size=1"}, {});
  EXPECT_EQ(one.signature(), two.signature());
  EXPECT_EQ(one.signature(), "13 R# off=# size=#  |  accepted");
}

constexpr std::uint64_t kPrograms = 200;  // of each class

// The classes in which a program may take a verifier a million steps are judged by fewer.
std::uint64_t programs_of(Class about) { return about == Class::Loops || about == Class::Mutations ? 60 : kPrograms; }

TEST(Judge, AgreesWithTheRunningKernel) {
  SKEP_NEEDS_KERNEL_BPF();
  const Court court;
  const verifier::testing::HelperNames names;
  Tally tally;
  for (std::size_t row = 0; row < kClasses; ++row) {
    const auto about = static_cast<Class>(row);
    for (std::uint64_t seed = 1; seed <= programs_of(about); ++seed) {
      const auto program = generate(about, seed, names);
      ASSERT_TRUE(program) << kClassNames[row] << ' ' << seed << ": " << program.error().message;
      const Judgement said = court.judge(*program);
      tally.add(about, seed, said);
      const bool agree = said.agreement() == Agreement::Accepted || said.agreement() == Agreement::Rejected;
      EXPECT_TRUE(agree || known_difference(said) != nullptr)
          << kClassNames[row] << ' ' << seed << ": " << said.signature() << '\n'
          << to_text(minimised(court, *program));
    }
    EXPECT_GE(tally.classes[row].accepted_share(), 25.0) << kClassNames[row];
    EXPECT_LE(tally.classes[row].accepted_share(), 98.0) << kClassNames[row];
  }
}

}  // namespace
}  // namespace skep::judge
