#include "verifier/facts/blocks.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string_view>
#include <vector>

#include "verifier/testing_programs.h"

namespace skep::verifier {
namespace {

spec::VerifiedProgram program(std::string_view text, std::initializer_list<std::uint32_t> functions = {0}) {
  spec::VerifiedProgram made;
  made.insns = testing::assembled(text);
  for (const std::uint32_t start : functions) made.functions.push_back({.start = start});
  return made;
}
std::vector<std::size_t> starts(const Blocks& blocks) {
  std::vector<std::size_t> found;
  for (FlowBlock block = 0; block < blocks.size(); ++block) found.push_back(blocks.begin(block));
  return found;
}

TEST(Blocks, BeginAtTargetsAndBehindJumps) {
  const Blocks blocks(program("r0 = 1 ll\nif r0 == 1 goto pc+1\nr0 = 2\nexit"));
  EXPECT_EQ(starts(blocks), (std::vector<std::size_t>{0, 3, 4}));
  EXPECT_EQ(blocks.end(0), 3U);
  EXPECT_EQ(blocks.end(2), 5U);
  EXPECT_TRUE(blocks.is_second_slot(1));
  EXPECT_EQ(blocks.at(4), 2U);
  EXPECT_FALSE(blocks.has_backward_edges());
}
TEST(Blocks, CallsDoNotEndThem) {
  const Blocks blocks(program("call pc+1\nexit\nr0 = 0\nexit", {0, 2}));
  EXPECT_EQ(starts(blocks), (std::vector<std::size_t>{0, 2}));
}
TEST(Blocks, TargetsOfBackwardEdgesAreLoopHeads) {
  const Blocks blocks(program("r0 = 0\nr0 += 1\nif r0 < 9 goto pc-2\nexit"));
  EXPECT_TRUE(blocks.has_backward_edges());
  EXPECT_FALSE(blocks.is_loop_head(0));
  EXPECT_TRUE(blocks.is_loop_head(1));
  EXPECT_FALSE(blocks.is_loop_head(2));
}
TEST(Blocks, FunctionsThatAreEnteredOtherwiseThanByACall) {
  const Blocks blocks(
      program("call pc+4\nr1 = subprog[+5]\nr0 = 0\nexit\nr0 = 1\nexit\nr0 = 2\nexit\nr0 = 3\nexit", {0, 5, 7, 9}));
  std::vector<std::size_t> entered;
  for (const FlowBlock block : blocks.called_back()) entered.push_back(blocks.begin(block));
  EXPECT_EQ(entered, (std::vector<std::size_t>{7, 9}));
}

}  // namespace
}  // namespace skep::verifier
