// Programs with functions of others: as text, and what is refused.
#include "exec/replace.h"

#include "exec/testing.h"

namespace skep::exec {
namespace {

using testing::canonical;
using testing::listing;
using testing::refusal;
using testing::source;

Source target() {
  Source made = source("call pc+2\nr0 += 1\nexit\nr0 = 1\nr0 += r1\nexit\nr0 = 9\nexit");
  made.subprograms = {{0, "main"}, {3, "called"}, {6, "unused"}};
  made.barriers = {{.insn = 1}, {.insn = 4}};
  made.probed = {4, 7};
  made.arena_accesses = {1, 4};
  made.arena = spec::MapId{5};
  return made;
}

Source part() {
  Source made = source("call pc+1\nexit\nr0 = 7\nexit");
  made.subprograms = {{0, "part"}, {2, "of_part"}};
  made.barriers = {{.insn = 2}};
  made.probed = {3};
  made.arena_accesses = {2};
  made.arena = spec::MapId{5};
  return made;
}

TEST(Replace, TheFunctionCallsTheOtherProgram) {
  const Source by = part();
  const std::array parts{Replacement{.subprogram = 1, .by = &by}};
  const auto whole = replace(target(), parts);
  ASSERT_TRUE(whole) << whole.error().message;
  EXPECT_EQ(listing(whole->insns), canonical("call pc+2\nr0 += 1\nexit\ncall pc+4\nexit\nexit\nr0 = 9\nexit\n"
                                             "call pc+1\nexit\nr0 = 7\nexit"));
  std::string names;
  for (const Subprogram& subprogram : whole->subprograms)
    names += std::to_string(subprogram.start) + subprogram.name + " ";
  EXPECT_EQ(names, "0main 3called 6unused 8part 10of_part ");
  ASSERT_EQ(whole->barriers.size(), 2U);
  EXPECT_EQ(whole->barriers[0].insn, 1U);
  EXPECT_EQ(whole->barriers[1].insn, 10U);
  EXPECT_EQ(whole->probed, (std::vector<std::uint32_t>{7, 11}));
  EXPECT_EQ(whole->arena_accesses, (std::vector<std::uint32_t>{1, 10}));
  EXPECT_TRUE(whole->is_deep);
}

TEST(Replace, SeveralAndTheMainOne) {
  const Source by = part();
  const std::array parts{Replacement{.subprogram = 0, .by = &by}, Replacement{.subprogram = 2, .by = &by}};
  const auto whole = replace(target(), parts);
  ASSERT_TRUE(whole) << whole.error().message;
  EXPECT_EQ(listing(whole->insns), canonical("call pc+7\nexit\nexit\nr0 = 1\nr0 += r1\nexit\ncall pc+5\nexit\n"
                                             "call pc+1\nexit\nr0 = 7\nexit\ncall pc+1\nexit\nr0 = 7\nexit"));
  EXPECT_TRUE(assume_verified(*whole, "as it was made"));
}

TEST(Replace, Refusals) {
  const Source by = part();
  const std::array none{Replacement{.subprogram = 3, .by = &by}};
  EXPECT_EQ(refusal(replace(target(), none)), "there is no function 3 among 3");
  Source other = part();
  other.arena = spec::MapId{6};
  const std::array two_arenas{Replacement{.subprogram = 1, .by = &other}};
  EXPECT_EQ(refusal(replace(target(), two_arenas)), "the function and the one in its place have arenas of their own");
  Source tiny = source("call pc+1\nexit\nexit");
  tiny.subprograms = {{0, "main"}, {2, "tiny"}};
  const std::array small{Replacement{.subprogram = 1, .by = &by}};
  EXPECT_EQ(refusal(replace(tiny, small)), "a function of one instruction has no room for a call of another one");
}

}  // namespace
}  // namespace skep::exec
