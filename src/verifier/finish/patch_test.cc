#include "verifier/finish/patch.h"

#include <gtest/gtest.h>

#include <string>

#include "isa/asm.h"
#include "isa/disasm.h"

namespace skep::verifier {
namespace {

std::vector<isa::Insn> assembled(std::string_view text) {
  const auto result = isa::assemble(text);
  EXPECT_TRUE(result) << text;
  return result ? result->insns : std::vector<isa::Insn>{};
}

std::string text(const std::optional<std::vector<isa::Insn>>& insns) {
  if (!insns) return "too long";
  isa::PrintOptions options;
  options.index = options.code = isa::Show::No;
  return isa::disassemble(*insns, isa::no_names(), options);
}

std::string normalized(std::string_view program) { return text(assembled(program)); }

TEST(Patch, NothingToDoLeavesTheProgram) {
  const auto insns = assembled("r0 = 0x1122334455667788 ll\nif r0 == 1 goto +1\ncall pc+1\nexit\nexit");
  Patch patch(insns);
  EXPECT_EQ(text(patch.done()), text(insns));
  EXPECT_EQ(patch.origins(), (std::vector<std::uint32_t>{0, 0, 2, 3, 4, 5}));
}

TEST(Patch, RemovalsShortenJumps) {
  const auto insns = assembled("if r1 == 0 goto +3\nr2 = 1\nr2 = 2\nr3 = 0x100000000 ll\nr0 = 0\ngoto -7");
  Patch patch(insns);
  patch.remove(1);
  patch.remove(3);
  EXPECT_EQ(text(patch.done()), normalized("if r1 == 0 goto +1\nr2 = 2\nr0 = 0\ngoto -4"));
  EXPECT_EQ(patch.moved(0), 0U);
  EXPECT_EQ(patch.moved(1), 1U);  // what follows it
  EXPECT_EQ(patch.moved(5), 2U);
  EXPECT_EQ(patch.moved(insns.size()), 4U);
}

TEST(Patch, JumpsToAReplacedInstructionMeetItsFirst) {
  const auto insns = assembled("r0 = 0\nr0 += 1\nif r0 != 9 goto -2\nexit");
  const auto with = assembled("r1 = 1\nr1 = 2\nr1 = 3");
  Patch patch(insns);
  patch.replace(1, with);
  EXPECT_EQ(text(patch.done()), normalized("r0 = 0\nr1 = 1\nr1 = 2\nr1 = 3\nif r0 != 9 goto -4\nexit"));
  EXPECT_EQ(patch.origins(), (std::vector<std::uint32_t>{0, 1, 1, 1, 2, 3}));
}

TEST(Patch, OnePieceJumpsWhereTheOldInstructionDid) {
  const auto insns = assembled("r0 = 0\nmay_goto +1\ngoto -2\nexit");
  const auto with = assembled("r1 = 1\nif r1 == 0 goto +9\nr1 -= 1");
  Patch patch(insns);
  patch.replace(1, with, 1);
  EXPECT_EQ(text(patch.done()), normalized("r0 = 0\nr1 = 1\nif r1 == 0 goto +2\nr1 -= 1\ngoto -4\nexit"));
}

TEST(Patch, CallsAndFunctionsFollow) {
  const auto insns = assembled("r1 = subprog[+3]\ncall pc+1\nexit\nr0 = 0\nr0 = 1\nexit");
  Patch patch(insns);
  patch.remove(4);
  const auto done = patch.done();
  ASSERT_TRUE(done);
  EXPECT_EQ((*done)[0].imm, insns[0].imm);
  EXPECT_EQ((*done)[2].imm, 1);
  EXPECT_EQ(patch.moved(4), patch.moved(5));
}

TEST(Patch, AJumpMayGetTooLong) {
  std::vector<isa::Insn> insns(30000, isa::encode(isa::Op::Mov64Imm));
  insns[0] = isa::encode(isa::Op::Goto);
  insns[0].off = 29998;
  const std::vector<isa::Insn> two(2, insns[1]);
  Patch patch(insns);
  for (std::size_t i = 1; i < 20000; ++i) patch.replace(i, two);
  EXPECT_FALSE(patch.done());
  insns[0] = isa::encode(isa::Op::GotoLong);
  insns[0].imm = 29998;
  Patch long_jump(insns);
  for (std::size_t i = 1; i < 20000; ++i) long_jump.replace(i, two);
  const auto done = long_jump.done();
  ASSERT_TRUE(done);
  EXPECT_EQ((*done)[0].imm, 29998 + 19999);
}

}  // namespace
}  // namespace skep::verifier
