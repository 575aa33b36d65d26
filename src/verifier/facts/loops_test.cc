#include "verifier/facts/loops.h"

#include <gtest/gtest.h>

#include <string_view>

#include "verifier/testing_programs.h"

namespace skep::verifier {
namespace {

// What the loop whose head is the instruction at `head` changes.
Changed changed(std::string_view text, std::size_t head) {
  spec::VerifiedProgram program;
  program.insns = testing::assembled(text);
  program.functions = {{.start = 0}};
  const Blocks blocks(program);
  return changed_by_loops(program.insns, blocks)[blocks.at(head)];
}
constexpr isa::RegisterSet r(unsigned number) { return static_cast<isa::RegisterSet>(1U << number); }

TEST(Loops, ChangeTheRegistersTheirInstructionsWrite) {
  EXPECT_EQ(changed("r6 = 0\nr7 = 0\nr7 += 1\nif r7 < 5 goto pc-2\nr0 = 0\nexit", 2), (Changed{r(7), 0}));
}
TEST(Loops, ChangeTheSlotsTheyStoreTo) {
  EXPECT_EQ(changed("r7 = 0\n*(u64 *)(r10 - 16) = 1\nr7 += 1\nif r7 < 5 goto pc-3\nr0 = 0\nexit", 1),
            (Changed{r(7), 2}));
  EXPECT_EQ(changed("r7 = 0\n*(u32 *)(r10 - 12) = 1\nr7 += 1\nif r7 < 5 goto pc-3\nr0 = 0\nexit", 1),
            (Changed{r(7), 2}));
  EXPECT_EQ(changed("r7 = r10\n*(u32 *)(r7 - 12) = 1\nr6 += 1\nif r6 < 5 goto pc-3\nr0 = 0\nexit", 1),
            (Changed{r(6), ~std::uint64_t{0}}));
}
TEST(Loops, ReachToTheLastJumpBackIntoThem) {
  constexpr std::string_view kText = R"(
    r6 = 0
    r6 += 1
    if r6 == 3 goto pc+2
    if r6 < 5 goto pc-3
    exit
    r8 = 1
    goto pc-4)";
  EXPECT_EQ(changed(kText, 1), (Changed{static_cast<isa::RegisterSet>(r(6) | r(8)), 0}));
}
TEST(Loops, OfWhichNothingIsSaid) {
  constexpr std::string_view kEnteredInside =
      "r6 = 0\nif r6 == 0 goto pc+1\nr6 += 1\nr7 = 1\nif r6 < 5 goto pc-3\nexit";
  EXPECT_EQ(changed(kEnteredInside, 2), Changed::all());
  EXPECT_EQ(changed("r6 = 0\nexit", 0), Changed::all());  // none
}
TEST(Loops, WithCalls) {
  constexpr isa::RegisterSet kCaller = 0x3f;
  EXPECT_EQ(changed("r6 = 0\ncall ktime_get_ns\nif r6 < 5 goto pc-2\nexit", 1), (Changed{kCaller, ~std::uint64_t{0}}));
  EXPECT_EQ(changed("r6 = 0\ncall xdp_adjust_head\nif r6 < 5 goto pc-2\nexit", 1), Changed::all());
  EXPECT_EQ(changed("r6 = 0\ncall pc+2\nif r6 < 5 goto pc-2\nexit\nr0 = 0\nexit", 1), Changed::all());
}

}  // namespace
}  // namespace skep::verifier
