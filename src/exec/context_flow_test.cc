// Context flow: which accesses are found, what is refused, in the kernel's words.
#include "exec/context_flow.h"

#include <fmt/format.h>

#include "exec/flow_state.h"
#include "exec/structure.h"
#include "exec/testing.h"

namespace skep::exec {
namespace {

using testing::source;

// "instruction@offset ..." of every access found, or the refusal.
std::string accesses(std::string_view text) {
  const Source made = source(text);
  const auto subprograms = check_structure(made, Legal::Linux);
  EXPECT_TRUE(subprograms) << testing::refusal(subprograms) << '\n' << text;
  if (!subprograms) return {};
  const auto flow = follow_context(made.insns, *subprograms, ContextKind::SkBuff);
  if (!flow) return flow.error().message;
  std::string found;
  for (const ContextAccess& access : flow->accesses) found += fmt::format("{}@{} ", access.insn, access.offset);
  return found;
}

struct Case {
  const char* name;
  const char* program;
  const char* expected;
};

constexpr Case kCases[] = {
    {"Direct", "r0 = *(u32 *)(r1 +4)\n*(u32 *)(r1 +8) = 1\n*(u32 *)(r1 +12) = r0\nexit", "0@4 1@8 2@12 "},
    {"Moved", "r6 = r1\nr7 = r6\nr0 = *(u32 *)(r7 +0)\nexit", "2@0 "},
    {"NarrowMoveIsNoPointer", "w6 = w1\nr0 = *(u32 *)(r6 +0)\nexit", ""},
    {"ConstantsCancel", "r1 += 8\nr2 = 8\nr1 -= r2\nr0 = *(u32 *)(r1 +0)\nexit", "3@0 "},
    {"OffsetOfItsOwn", "r1 += 8\nr0 = *(u32 *)(r1 +0)\nexit",
     "instruction 1 (Load32): dereference of modified ctx ptr R1 off=8 disallowed"},
    {"VariableOffset", "r2 = *(u32 *)(r1 +0)\nr1 += r2\nr0 = *(u32 *)(r1 +0)\nexit",
     "instruction 2 (Load32): variable ctx access through R1"},
    {"ConstantPlusContext", "r2 = 0\nr2 += r1\nr0 = *(u32 *)(r2 +0)\nexit", "2@0 "},
    {"Spill", "*(u64 *)(r10 -8) = r1\nr2 = *(u64 *)(r10 -8)\nr0 = *(u32 *)(r2 +4)\nexit", "2@4 "},
    {"SpillThroughCopy", "r2 = r10\nr2 += -16\n*(u64 *)(r2 +8) = r1\nr2 = *(u64 *)(r10 -8)\nr0 = *(u32 *)(r2 +4)\nexit",
     "4@4 "},
    {"SpillOverwritten",
     "*(u64 *)(r10 -8) = r1\n*(u8 *)(r10 -5) = 1\nr2 = *(u64 *)(r10 -8)\nr0 = *(u32 *)(r2 +4)\nexit", ""},
    {"SpillPartlyRead", "*(u64 *)(r10 -8) = r1\nr2 = *(u32 *)(r10 -8)\nr0 = *(u32 *)(r2 +4)\nexit", ""},
    {"CallClobbers", "call bpf_ktime_get_ns#5\nr0 = *(u32 *)(r1 +4)\nexit", ""},
    {"CalleeSavedSurvives", "r6 = r1\ncall bpf_ktime_get_ns#5\nr0 = *(u32 *)(r6 +4)\nexit", "2@4 "},
    {"DifferentPointers", "if r2 == 0 goto pc+2\nr3 = r1\ngoto pc+1\nr3 = r10\nr0 = *(u32 *)(r3 -8)\nexit",
     "instruction 4 (Load32): same insn cannot be used with different pointers"},
    {"DifferentButNotUsed", "if r2 == 0 goto pc+2\nr3 = r1\ngoto pc+1\nr3 = r10\nr0 = 0\nexit", ""},
    {"ContextOrNull", "r3 = 0\nif r2 == 0 goto pc+1\nr3 = r1\nif r3 == 0 goto pc+1\nr0 = *(u32 *)(r3 +8)\nexit",
     "4@8 "},
    {"SameOnBothPaths", "if r2 == 0 goto pc+2\nr3 = r1\ngoto pc+1\nr3 = r1\nr0 = *(u32 *)(r3 +8)\nexit", "4@8 "},
    {"Loop", "r6 = r1\nr7 = 0\nr0 = *(u32 *)(r6 +0)\nr7 += 1\nif r7 < r0 goto pc-3\nexit", "2@0 "},
    {"LoopThatReplacesIt", "r6 = r1\nr0 = *(u32 *)(r6 +0)\nr6 = r10\nif r0 == 1 goto pc-3\nexit",
     "instruction 1 (Load32): same insn cannot be used with different pointers"},
    {"DeadBranchByConstant", "r2 = 1\nif r2 == 0 goto pc+2\nr0 = 0\nexit\nr1 += 4\nr0 = *(u32 *)(r1 +0)\nexit", ""},
    {"DeadBranchTaken", "w2 = 1\nif w2 != 0 goto pc+2\nr1 += 4\nr0 = *(u32 *)(r1 +0)\nr0 = *(u32 *)(r1 +8)\nexit",
     "4@8 "},
    {"Subprogram", "call pc+1\nexit\nr0 = *(u32 *)(r1 +4)\nexit", "2@4 "},
    {"SubprogramWithTwoCallers", "r6 = r1\ncall pc+3\nr1 = r10\ncall pc+1\nexit\nr0 = *(u32 *)(r1 -8)\nexit",
     "instruction 5 (Load32): same insn cannot be used with different pointers"},
    {"SubprogramReturnsIt", "call pc+2\nr0 = *(u32 *)(r0 +4)\nexit\nr0 = r1\nexit", "1@4 "},
    {"SubprogramNeverReturns", "r6 = r1\ncall pc+2\nr0 = *(u32 *)(r6 +4)\nexit\ngoto pc-1", ""},
    {"Recursion", "r6 = r1\ncall pc+2\nr0 = *(u32 *)(r6 +4)\nexit\ncall pc-1\nr0 = 0\nexit", ""},
    {"SpillOfTheCaller",
     "*(u64 *)(r10 -8) = r1\nr1 = r10\nr1 += -8\ncall pc+1\nexit\nr2 = *(u64 *)(r1 +0)\nr0 = *(u32 *)(r2 +4)\nexit",
     "6@4 "},
    {"SpillForTheCaller",
     "r2 = r10\nr2 += -8\ncall pc+3\nr3 = *(u64 *)(r10 -8)\nr0 = *(u32 *)(r3 +4)\nexit\n*(u64 *)(r2 +0) = r1\nr0 = "
     "0\nexit",
     "4@4 "},
    {"CallbackContext",
     "*(u64 *)(r10 -8) = r1\nr1 = 4\nr2 = subprog[+6]\nr3 = r10\nr3 += -8\nr4 = 0\ncall bpf_loop#181\nexit\n"
     "r1 = *(u64 *)(r2 +0)\nr0 = *(u32 *)(r1 +8)\nexit",
     "10@8 "},
    {"AtomicOnContext", "lock *(u64 *)(r1 +0) += r2\nexit",
     "instruction 0 (AtomicAdd64): BPF_ATOMIC stores into R1 ctx is not allowed"},
    {"LoadAcquireOnContext", "r0 = load_acquire((u32 *)(r1 +0))\nexit",
     "instruction 0 (LoadAcquire32): BPF_ATOMIC loads from R1 ctx is not allowed"},
    {"ExchangeIsNoContext", "r1 = atomic64_xchg((u64 *)(r10 -8), r1)\nr0 = *(u32 *)(r1 +0)\nexit", ""},
    {"PacketLoadsClobber", "r6 = r1\nr0 = *(u8 *)skb[0]\nr0 = *(u32 *)(r1 +0)\nr0 = *(u32 *)(r6 +0)\nexit", "3@0 "},
    {"MayGoto", "r6 = r1\nmay_goto pc+2\nr0 = *(u32 *)(r6 +0)\ngoto pc-3\nexit", "2@0 "},
};

class ContextFlowCases : public ::testing::TestWithParam<Case> {};
TEST_P(ContextFlowCases, Finds) { EXPECT_EQ(accesses(GetParam().program), GetParam().expected) << GetParam().program; }
INSTANTIATE_TEST_SUITE_P(All, ContextFlowCases, ::testing::ValuesIn(kCases),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(ContextFlow, PlainMemoryIsNotFollowed) {
  const Source made = source("r1 += 8\nr0 = *(u32 *)(r1 +0)\nexit");
  const auto flow = follow_context(made.insns, *check_structure(made, Legal::Linux), ContextKind::Memory);
  ASSERT_TRUE(flow);
  EXPECT_TRUE(flow->accesses.empty());
  EXPECT_EQ(flow->reached, (std::vector{true, true, true}));
}

// join() is what makes the order of paths not matter.
TEST(FlowState, JoinIsALattice) {
  using Kind = Value::Kind;
  const Value values[] = {kNothing,
                          constant(0),
                          constant(7),
                          {Kind::Context, 0, 0},
                          {Kind::Context, 0, 8},
                          frame(0, -8),
                          frame(1, -8),
                          {Kind::Function, 2, 0},
                          {Kind::Other, 0, 0},
                          {Kind::AnyContext, 0, 0},
                          {Kind::Mixed, 0, 0}};
  for (const Value& a : values) {
    EXPECT_EQ(join(a, a), a);
    EXPECT_EQ(join(kNothing, a), a);
    for (const Value& b : values) {
      EXPECT_EQ(join(a, b), join(b, a));
      EXPECT_EQ(join(a, join(a, b)), join(a, b));
      for (const Value& c : values) EXPECT_EQ(join(a, join(b, c)), join(join(a, b), c));
    }
  }
}

}  // namespace
}  // namespace skep::exec
