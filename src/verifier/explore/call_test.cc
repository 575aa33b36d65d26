// What a path's end must not leave behind, and calls of kernel functions; judged here and by the running kernel.
#include <gtest/gtest.h>

#include "verifier/explore/testing_judge.h"

namespace skep::verifier {
namespace {

using enum spec::ProgType;

constexpr testing::Subject kExits[] = {
#include "verifier/explore/exit_cases.inc"
};

constexpr testing::Subject kKfuncs[] = {
#include "verifier/explore/kfunc_cases.inc"
};

TEST(Exits, AgreeWithTheRunningKernel) {
  SKEP_NEEDS_KERNEL_BPF();
  for (const testing::Subject& subject : kExits) testing::expect_same_judgement(subject);
}

TEST(Kfuncs, AgreeWithTheRunningKernel) {
  SKEP_NEEDS_KERNEL_BPF();
  for (const testing::Subject& subject : kKfuncs) testing::expect_same_judgement(subject);
}

// Linux takes r10 for the slot below it (up to 6.18 at least), and the call then writes at the frame pointer.
TEST(Kfuncs, IteratorsLieBelowTheFramePointer) {
  SKEP_NEEDS_KERNEL_BPF();  // its types
  const testing::Subject subject{
      "at the frame pointer", SocketFilter,
      "r1 = r10\nr1 += -8\nr2 = 0\nr3 = 10\ncall bpf_iter_num_new\nr1 = r10\ncall bpf_iter_num_next\n"
      "r1 = r10\nr1 += -8\ncall bpf_iter_num_destroy\nr0 = 0\nexit"};
  const auto ours = testing::our_verdict(subject, testing::assemble(subject.program));
  ASSERT_FALSE(ours.result);
  EXPECT_EQ(ours.result.error().code, EINVAL);
  EXPECT_NE(ours.log.find("cannot pass in iter at an offset=0"), std::string::npos) << ours.log;
}

// What the release that is followed says, where the running kernel says something else.
struct Sentence {
  const char* program;
  int error;
  const char* message;
};
constexpr Sentence kOnlyIn612[] = {
    {"call bpf_rcu_read_lock\nr0 = 0\nexit", EINVAL, "bpf_rcu_read_unlock is missing"},
    {"call bpf_preempt_disable\nr0 = 0\nexit", EINVAL, "1 bpf_preempt_enable is missing"},
    {"call bpf_preempt_disable\ncall bpf_preempt_disable\nr0 = 0\nexit", EINVAL, "2 bpf_preempt_enable(s) are missing"},
    {"*(u32 *)(r10 -4) = 0\nr2 = r10\nr2 += -4\nr1 = map[locks]\ncall bpf_map_lookup_elem\nif r0 == 0 goto out\n"
     "r1 = r0\nr1 += 4\ncall bpf_spin_lock\nr0 = 0\nexit\nout: r0 = 0\nexit",
     EINVAL, "bpf_spin_unlock is missing"},
    {"r1 = map[ring]\nr2 = 8\nr3 = 0\ncall bpf_ringbuf_reserve\nr0 = 0\nexit", EINVAL, ""},
    {".insn 0x85, 0, 2, 0, 0\nr0 = 0\nexit", EINVAL, "invalid kernel function call not eliminated in verifier pass"},
    {"r1 = 0\nr2 = 1\ncall bpf_rdonly_cast\nr0 = 0\nexit", EINVAL,
     "kfunc bpf_rdonly_cast type ID argument must be of a struct"},
    {"r1 = r10\ncall bpf_obj_drop_impl\nr0 = 0\nexit", EOPNOTSUPP,
     "not supported yet: kernel function bpf_obj_drop_impl"},
};

TEST(Exits, FollowLinux612) {
  SKEP_NEEDS_KERNEL_BPF();  // for the maps
  for (const Sentence& subject : kOnlyIn612) {
    const testing::Assembled program = testing::assemble(subject.program);
    ASSERT_EQ(program.problem, "");
    const Verdict verdict = verify({.type = SchedCls,
                                    .insns = program.insns,
                                    .maps = program.maps,
                                    .map_uses = program.uses,
                                    .log_level = spec::kLogStates,
                                    .kernel_btf = testing::kernel_types()});
    ASSERT_FALSE(verdict.result) << subject.program;
    EXPECT_EQ(verdict.result.error().code, subject.error) << verdict.log;
    EXPECT_EQ(verdict.result.error().message, subject.message) << verdict.log;
  }
}

}  // namespace
}  // namespace skep::verifier
