// Rewriter: everything that names an instruction still names the same one, near and far.
#include "exec/rewriter.h"

#include "exec/testing.h"
#include "isa/op.h"

namespace skep::exec {
namespace {

using testing::assembled;
using testing::canonical;
using testing::listing;

// `text` with instruction `index` replaced by `with`.
std::string replaced(std::string_view text, std::size_t index, std::string_view with) {
  const auto insns = assembled(text);
  Rewriter rewriter(insns);
  rewriter.replace(index, assembled(with));
  const auto out = rewriter.rewritten();
  return out ? listing(*out) : out.error().message;
}

TEST(Rewriter, JumpsOverGrowOrShrink) {
  EXPECT_EQ(replaced("if r1 == 0 goto pc+2\nr0 = 1\nr0 = 2\nexit", 1, "r3 = 1\nr4 = 2\nr5 = 3"),
            canonical("if r1 == 0 goto pc+4\nr3 = 1\nr4 = 2\nr5 = 3\nr0 = 2\nexit"));
  EXPECT_EQ(replaced("r0 = 1\nr0 = 2\nif r1 == 0 goto pc-3\nexit", 1, "r3 = 1\nr4 = 2"),
            canonical("r0 = 1\nr3 = 1\nr4 = 2\nif r1 == 0 goto pc-4\nexit"));
}

TEST(Rewriter, JumpToTheReplacedGoesToItsFirst) {
  EXPECT_EQ(replaced("goto pc+0\nr0 = 2\ngoto pc-2", 1, "r3 = 1\nr4 = 2"),
            canonical("goto pc+0\nr3 = 1\nr4 = 2\ngoto pc-3"));
}

TEST(Rewriter, CallsFunctionsAndLongJumps) {
  EXPECT_EQ(replaced("call pc+4\nr2 = subprog[+2]\nr0 = 1\ngotol pc-4\nexit", 3, "r0 = 1\nr0 = 2"),
            canonical("call pc+5\nr2 = subprog[+3]\nr0 = 1\nr0 = 2\ngotol pc-5\nexit"));
}

TEST(Rewriter, ImmediatesKeepBothSlots) {
  EXPECT_EQ(replaced("r1 = 0x1122334455667788\nr0 = 1\ngoto pc-4", 2, "r3 = 1\nr4 = 2"),
            canonical("r1 = 0x1122334455667788\nr3 = 1\nr4 = 2\ngoto pc-5"));
}

TEST(Rewriter, SaysWhereThingsWent) {
  const auto insns = assembled("r0 = 1\nr0 = 2\nexit");
  Rewriter rewriter(insns);
  rewriter.replace(0, assembled("r0 = 1\nr0 = 1\nr0 = 1"));
  ASSERT_TRUE(rewriter.rewritten());
  EXPECT_EQ(rewriter.moved(0), 0U);
  EXPECT_EQ(rewriter.moved(1), 3U);
  EXPECT_EQ(rewriter.moved(2), 4U);
}

// The index control goes to from a jump, following the goto and gotol it was split into.
std::size_t lands(const std::vector<isa::Insn>& insns, std::size_t jump) {
  std::size_t at = static_cast<std::size_t>(*isa::jump_target(isa::decode(insns[jump]), insns[jump], jump));
  while (isa::decode(insns[at]) == isa::Op::GotoLong)
    at = static_cast<std::size_t>(*isa::jump_target(isa::Op::GotoLong, insns[at], at));
  return at;
}

TEST(Rewriter, JumpsThatNoLongerReachBecomeLong) {
  for (const std::string_view jump : {"if r1 == 5 goto", "goto", "may_goto"}) {
    // forward over 20,000 instructions that become 40,000, and back over them
    std::string text = std::string(jump) + " pc+20000\n";
    for (int i = 0; i < 20000; ++i) text += "r2 = 1\n";
    text += "r0 = 0\n" + std::string(jump) + " pc-20002\nexit";
    const auto insns = assembled(text);
    Rewriter rewriter(insns);
    for (std::size_t i = 1; i <= 20000; ++i) rewriter.replace(i, assembled("r3 = 1\nr4 = 2"));
    const auto out = rewriter.rewritten();
    ASSERT_TRUE(out) << out.error().message;
    const std::size_t back = rewriter.moved(20002);
    EXPECT_EQ(lands(*out, rewriter.moved(0)), back - 1) << jump;
    EXPECT_EQ(lands(*out, back), 1 + (jump == "goto" ? 0U : 2U)) << jump;
    const isa::Insn& behind = (*out)[back + 1];
    if (jump != "goto") {
      EXPECT_EQ(behind.off, 1) << "not taken: around the gotol";
      EXPECT_EQ(isa::decode(out->back()), isa::Op::Exit);
    }
  }
}

TEST(Rewriter, TooLong) {
  std::vector<isa::Insn> insns(600'000, isa::encode(isa::Op::Exit));
  const auto two = assembled("r0 = 1\nexit");
  Rewriter rewriter(insns);
  for (std::size_t i = 0; i < insns.size(); ++i) rewriter.replace(i, two);
  const auto out = rewriter.rewritten();
  ASSERT_FALSE(out);
  EXPECT_EQ(out.error().code, E2BIG);
}

}  // namespace
}  // namespace skep::exec
