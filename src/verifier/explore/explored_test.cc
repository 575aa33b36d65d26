#include "verifier/explore/explored.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "spec/uapi.h"
#include "verifier/explore/verify.h"
#include "verifier/testing_programs.h"

namespace skep::verifier {
namespace {

constexpr std::uint32_t kEveryVisit = spec::kTestStateFreq;

// What is claimed of `reg` on entry to the instruction at `insn` of the verified program.
std::string claimed(std::string_view text, std::size_t insn, unsigned reg, std::uint32_t flags = kEveryVisit) {
  const auto insns = testing::assembled(text);
  const spec::VerifyInput input{.type = spec::ProgType::Xdp, .insns = insns, .flags = flags};
  Explored explored;
  const Verdict verdict = verify(input, Rules::Linux612, nullptr, &explored);
  if (!verdict.result) return verdict.result.error().message;
  return describe(explored.claims(*verdict.result).at(insn, reg));
}

// r6 is 0 to 7 at the conditional jump at 3, and decides where the store goes; r7 decides nothing.
constexpr std::string_view kBranch = R"(
  r6 = *(u32 *)(r1 + 12)
  r6 &= 7
  r7 = *(u32 *)(r1 + 16)
  if r6 > 3 goto pc+1
  r7 += 1
  r8 = r10
  r8 += -8
  r8 += r6
  *(u8 *)(r8 + 0) = 0
  r0 = r7
  exit)";

TEST(Explored, ANumberThatIsLiveAndPreciseInEveryState) {
  const std::string joined = "a number: 0x0 to 0x7, low half 0x0 to 0x7, signed low half 0 to 7, bits 0x0/0x7";
  EXPECT_EQ(claimed(kBranch, 3, 6), joined);
  EXPECT_EQ(claimed(kBranch, 5, 6), joined);  // of both ways
}
TEST(Explored, NothingOfNumbersThatAreNotPrecise) { EXPECT_EQ(claimed(kBranch, 3, 7), "anything"); }
TEST(Explored, NothingOfRegistersThatNobodyReads) {
  EXPECT_EQ(claimed("r6 = 3\nr0 = *(u32 *)(r1 + 12)\nif r0 > 3 goto pc+1\nr0 = 1\nexit", 2, 6), "anything");
}
TEST(Explored, NothingOfPointers) { EXPECT_EQ(claimed(kBranch, 3, 10), "anything"); }
TEST(Explored, NothingWhereAVisitLeftNoState) { EXPECT_EQ(claimed(kBranch, 3, 6, 0), "anything"); }
TEST(Explored, NothingBetweenPrunePoints) { EXPECT_EQ(claimed(kBranch, 4, 6), "anything"); }

// Two states at the jump at 4, with 7 and with 5.
TEST(Explored, TheStatesOfAnInstructionAreJoined) {
  constexpr std::string_view kText = R"(
    r6 = 5
    r0 = *(u32 *)(r1 + 12)
    if r0 > 3 goto pc+1
    r6 = 7
    if r0 > 9 goto pc+3
    r8 = r10
    r8 += -16
    r8 += r6
    r0 = r6
    exit)";
  EXPECT_TRUE(claimed(kText, 4, 6).starts_with("a number: 0x5 to 0x7")) << claimed(kText, 4, 6);
}

}  // namespace
}  // namespace skep::verifier
