// Loops: those that end, those that cannot, and those that end because what does not matter is forgotten. The running
// kernel judges, too.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "spec/uapi.h"
#include "verifier/explore/verify.h"
#include "verifier/testing_kernel.h"
#include "verifier/testing_programs.h"

namespace skep::verifier {
namespace {

struct Case {
  const char* title;
  const char* program;
  int error;            // an errno, 0 when it is accepted
  const char* message;  // in the log
};

constexpr Case kCases[] = {
    {"counted", "r0 = 0\nr0 += 1\nif r0 < 100 goto -2\nexit", 0, "processed 202 insns"},
    {"counted down", "r0 = 0\nr6 = 50\nr6 -= 1\nif r6 != 0 goto -2\nexit", 0, "processed 103 insns"},
    {"jump to itself", "r0 = 0\ngoto -1\nexit", EINVAL, "unreachable insn 2"},
    {"endless", "r0 = 0\nif r0 == 0 goto -1\nexit", EINVAL, "infinite loop detected at insn 1"},
    {"endless while the world does not change", "call bpf_ktime_get_ns\nif r0 != 0 goto -2\nexit", EINVAL,
     "infinite loop detected at insn"},
    {"a counter nobody looks at", "r6 = 0\nr6 += 1\ncall bpf_ktime_get_ns\nif r0 != 0 goto -3\nr0 = 0\nexit", E2BIG,
     "BPF program is too large. Processed 1000001 insn"},
    {"a counter that ends it",
     "r6 = 0\nr6 += 1\ncall bpf_ktime_get_ns\nif r0 == 0 goto +1\nif r6 < 20 goto -4\nr0 = 0\nexit", 0, "processed"},
    {"two nested", "r6 = 0\nr7 = 0\nr7 += 1\nif r7 < 5 goto -2\nr6 += 1\nif r6 < 5 goto -5\nr0 = 0\nexit", 0,
     "processed"},
    {"may_goto", "r0 = 0\nmay_goto +2\nr0 += 1\ngoto -3\nexit", 0, "processed"},
    {"may_goto with what it does not do", "r0 = 0\nmay_goto +0\nexit", EINVAL, "invalid may_goto"},
    {"may_goto and a number that matters",
     "r6 = 0\nr0 = 0\nmay_goto +4\nr6 += 1\nif r6 < 8 goto +1\nr6 = 0\ngoto -5\nr1 = r10\nr1 += -8\n*(u64 *)(r10 -8) = "
     "0\nr0 = "
     "*(u64 *)(r1 +0)\nexit",
     0, "processed"},
};

TEST(Loops, EndOrAreRefused) {
  for (const Case& subject : kCases) {
    SCOPED_TRACE(subject.title);
    const auto insns = testing::assembled(subject.program);
    const auto ours = verify(
        {.type = spec::ProgType::SocketFilter, .insns = insns, .log_level = spec::kLogBranches, .log_limit = 1U << 16});
    EXPECT_EQ(ours.result ? 0 : ours.result.error().code, subject.error) << ours.log;
    EXPECT_TRUE(ours.log.contains(subject.message)) << ours.log;
  }
}

TEST(Loops, AsTheRunningKernelSeesThem) {
  SKEP_NEEDS_KERNEL_BPF();
  for (const Case& subject : kCases) {
    SCOPED_TRACE(subject.title);
    if (subject.error == E2BIG) continue;  // the kernel's log would not fit
    const auto insns = testing::assembled(subject.program);
    const auto said = testing::ask_kernel({.insns = insns, .log_level = 1});
    const auto ours = verify({.type = spec::ProgType::SocketFilter, .insns = insns, .log_level = 1},
                             testing::rules_of_running_kernel());
    EXPECT_EQ(ours.result ? 0 : ours.result.error().code, said.error) << ours.log << said.log;
  }
}

// 2^25 paths that differ in a number that never matters.
TEST(Loops, PathsThatMeetAgainAreWalkedOnce) {
  std::string text = "call bpf_ktime_get_ns\nr6 = 0\n";
  for (int i = 0; i < 25; ++i) text += "if r0 & " + std::to_string(1 << i) + " goto +1\nr6 += 1\n";
  const auto insns = testing::assembled(text + "r0 = 0\nexit");
  const auto verdict = verify({.type = spec::ProgType::SocketFilter, .insns = insns});
  ASSERT_TRUE(verdict.result);
  EXPECT_LT(verdict.stats.insns_processed, 1000U);
  EXPECT_GT(verdict.stats.total_states, 5U);
}

// The same where the number matters in the end: the paths are told apart.
TEST(Loops, PathsThatMatterAreWalkedEach) {
  std::string text = "call bpf_ktime_get_ns\nr6 = 0\n";
  for (int i = 0; i < 8; ++i) text += "if r0 & " + std::to_string(1 << i) + " goto +1\nr6 += 1\n";
  const auto insns = testing::assembled(text + "r6 += -16\nr1 = r10\nr1 += r6\n*(u8 *)(r1 +0) = 1\nr0 = 0\nexit");
  const auto verdict = verify({.type = spec::ProgType::SocketFilter, .insns = insns, .log_level = 2});
  EXPECT_GT(verdict.stats.insns_processed, 100U);
  EXPECT_TRUE(verdict.log.contains("mark_precise: frame0: regs=r6")) << verdict.log;
}

}  // namespace
}  // namespace skep::verifier
