// Generated programs: the same for the same seed, whole, and edited without losing their way.
#include "judge/generate.h"

#include <gtest/gtest.h>

#include "isa/op.h"
#include "judge/edit.h"
#include "judge/judge.h"
#include "judge/mutate.h"
#include "spec/uapi.h"
#include "verifier/testing_maps.h"

namespace skep::judge {
namespace {

const verifier::testing::HelperNames kNames;

bool has_kernel_functions() { return verifier::testing::kernel_types() != nullptr; }

Program program_of(std::string_view text) {
  auto program = from_text(text);
  EXPECT_TRUE(program) << text;
  return program ? *std::move(program) : Program{};
}

TEST(Generate, TheSameSeedIsTheSameProgram) {
  if (!has_kernel_functions()) GTEST_SKIP() << "the kernel's types are not shown";
  for (std::size_t about = 0; about < kClasses; ++about)
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
      const auto one = generate(static_cast<Class>(about), seed, kNames);
      const auto two = generate(static_cast<Class>(about), seed, kNames);
      ASSERT_TRUE(one) << kClassNames[about] << ' ' << seed << ": " << one.error().message;
      ASSERT_TRUE(two);
      EXPECT_EQ(to_text(*one), to_text(*two));
      EXPECT_FALSE(one->insns.empty());
    }
}

TEST(Generate, EveryRealProgramIsRead) {
  if (!has_kernel_functions()) GTEST_SKIP() << "the kernel's types are not shown";
  EXPECT_GT(real_programs().size(), 400U);
  for (const RealProgram& program : real_programs()) EXPECT_TRUE(read(program, kNames)) << program.text;
}

TEST(Generate, TextIsReadBack) {
  const std::string_view text =
      "; xdp cgroup_inet_ingress flags 1\n"
      "; function main\n"
      "  0: r1 = map[array]\n"
      "  2: call pc+1\n"
      "  3: exit\n"
      "; function local\n"
      "  4: r0 = 1\n"
      "  5: exit\n";
  const Program program = program_of(text);
  EXPECT_EQ(program.type, spec::ProgType::Xdp);
  EXPECT_EQ(program.flags, spec::kStrictAlignment);
  ASSERT_EQ(program.functions.size(), 2U);
  EXPECT_EQ(program.functions[1].insn, 4U);
  EXPECT_EQ(to_text(program), text);
}

TEST(Edit, JumpsKeepTheirTargets) {
  Program program = program_of("if r1 == 0 goto +3\nr0 = 1\nr0 = 2\nr0 = 3\nr0 = 4\nif r1 != 0 goto -3\nexit");
  erase(program, 2, 1);
  EXPECT_EQ(program.insns[0].off, 2);
  EXPECT_EQ(program.insns[4].off, -3);  // to what was behind
  duplicate(program, 1);
  EXPECT_EQ(program.insns[0].off, 3);
  EXPECT_EQ(program.insns[2], program.insns[1]);
  EXPECT_EQ(program.insns[5].off, -3);
}

TEST(Edit, MapsAndFunctionsMoveAlong) {
  Program program = program_of(
      "; xdp cgroup_inet_ingress\n; function main\n  0: r0 = 0\n  1: r1 = map[array]\n  3: call pc+1\n  4: exit\n"
      "; function local\n  5: exit\n");
  erase(program, 0, 1);
  EXPECT_EQ(program.maps[0].insn, 0U);
  EXPECT_EQ(program.functions[1].insn, 4U);
  EXPECT_EQ(program.insns[2].imm, 1);
  duplicate(program, 0);
  ASSERT_EQ(program.maps.size(), 2U);
  EXPECT_EQ(program.maps[1].insn, 2U);
  erase(program, 0, 4);
  EXPECT_TRUE(program.maps.empty());
  ASSERT_EQ(program.functions.size(), 2U);
  EXPECT_EQ(program.functions[1].insn, 2U);
}

TEST(Edit, ExchangedJumpsLeadWhereTheyDid) {
  Program program = program_of("if r1 == 0 goto +2\nr0 = 1\nr0 = 2\nexit");
  exchange(program, 0, 1);
  EXPECT_EQ(isa::decode(program.insns[0]), isa::Op::Mov64Imm);
  EXPECT_EQ(program.insns[1].off, 1);
}

}  // namespace
}  // namespace skep::judge
