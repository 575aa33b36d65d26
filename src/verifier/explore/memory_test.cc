// Memory of every kind, judged here and by the running kernel.
#include <gtest/gtest.h>

#include "verifier/explore/testing_judge.h"

namespace skep::verifier {
namespace {

using enum spec::ProgType;
using spec::AttachType;
using testing::Subject;

constexpr Subject kCases[] = {
#include "verifier/explore/memory_cases.inc"
};

TEST(Memory, IsJudgedAsByTheRunningKernel) {
  SKEP_NEEDS_KERNEL_BPF();
  for (const Subject& subject : kCases) testing::expect_same_judgement(subject);
}

TEST(Memory, AlignmentAsAskedFor) {
  SKEP_NEEDS_KERNEL_BPF();
  constexpr std::uint32_t kBoth = spec::kStrictAlignment | spec::kAnyAlignment;
  for (const std::uint32_t flags : {std::uint32_t{spec::kStrictAlignment}, std::uint32_t{spec::kAnyAlignment}, kBoth})
    for (Subject subject : kCases) {
      subject.flags = flags;
      testing::expect_same_judgement(subject);
    }
}

constexpr Subject kArenas[] = {
#include "verifier/explore/arena_cases.inc"
};

TEST(Memory, OfArenas) {
  SKEP_NEEDS_KERNEL_BPF();
  for (const Subject& subject : kArenas) testing::expect_same_judgement(subject);
}

TEST(Memory, ArenasAreNotForTheUnprivileged) {
  SKEP_NEEDS_KERNEL_BPF();
  const auto program = testing::assemble("r1 = map[arena]\nr0 = 0\nexit");
  for (const spec::LoaderRights rights : {spec::LoaderRights{.perfmon = false}, spec::LoaderRights{.bpf = false}}) {
    const Verdict verdict =
        verify({.type = Xdp, .insns = program.insns, .maps = program.maps, .map_uses = program.uses, .rights = rights});
    ASSERT_FALSE(verdict.result);
    EXPECT_EQ(verdict.result.error().code, EPERM);
    EXPECT_EQ(verdict.result.error().message, "CAP_BPF and CAP_PERFMON are required to use arena");
  }
}

// What the unprivileged may not do: 6.12's words, which the running kernel has no setting for here.
TEST(Memory, OfTheUnprivileged) {
  const struct {
    const char* program;
    const char* message;
  } subjects[] = {
      {"r2 = r10\nr2 += 8\nr0 = 0\nexit", "R2 stack pointer arithmetic goes out of range, prohibited for !root; off=8"},
      {"r1 += 4\nr0 = *(u32 *)(r1 +0)\nexit", "dereference of modified ctx ptr R1 off=4 disallowed"},
      {"r2 = 4\nr1 += r2\nr0 = 0\nexit",
       "R1 has pointer with unsupported alu operation, pointer arithmetic with it prohibited for !root"},
      {"call bpf_ktime_get_ns\nr1 = r10\nr1 += r0\nr0 = 0\nexit",
       "math between fp pointer and register with unbounded min value is not allowed"},
      {"*(u64 *)(r10 -8) = r1\n*(u8 *)(r10 -8) = 1\nr0 = 0\nexit", "attempt to corrupt spilled pointer on stack"},
      {"r0 = *(u64 *)(r10 -8)\nexit", "invalid read from stack R10 off=-8 size=8"},
      {"*(u32 *)(r10 -8) = 1\nr0 = *(u64 *)(r10 -8)\nexit", "invalid read from stack off -8+4 size 8"},
      {"*(u64 *)(r10 -8) = 1\nr0 = *(u64 *)(r10 -8)\nexit", ""},
      {"*(u8 *)(r10 -8) = 1\n*(u64 *)(r10 -16) = 0\nr0 = *(u8 *)(r10 -7)\nexit",
       "invalid read from stack off -7+0 size 1"},
  };
  for (const auto& subject : subjects) {
    const auto program = testing::assemble(subject.program);
    const Verdict verdict = verify({.type = SocketFilter,
                                    .insns = program.insns,
                                    .log_level = spec::kLogStates,
                                    .rights = {.bpf = false, .perfmon = false}});
    EXPECT_EQ(verdict.result ? "" : verdict.result.error().message, subject.message) << verdict.log;
  }
}

// Sums by a register are masked, with a limit by the way to the object's end, which must be one on all paths.
TEST(Memory, MasksThePointersOfTheUnprivileged) {
  const struct {
    const char* program;
    const char* message;
  } subjects[] = {
      {"r1 = map[one][0]+0\nr2 = *(u8 *)(r1 +0)\nr2 &= 31\nr1 += r2\nr0 = *(u8 *)(r1 +0)\nr0 = 0\nexit", ""},
      {"r1 = map[one][0]+0\nr2 = *(u8 *)(r1 +0)\nr1 += r2\nr0 = *(u8 *)(r1 +0)\nr0 = 0\nexit",
       "R1 pointer arithmetic of map value goes out of range, prohibited for !root"},
      {"r1 = map[one][0]+0\nr3 = *(u8 *)(r1 +0)\nr2 = *(u8 *)(r1 +1)\nr2 &= 7\nif r3 == 0 goto sum\nr1 += 8\nr2 &= 3\n"
       "sum: r1 += r2\nr0 = *(u8 *)(r1 +0)\nr0 = 0\nexit",
       "R1 tried to add from different maps, paths or scalars, pointer arithmetic with it prohibited for !root"},
  };
  for (const auto& subject : subjects) {
    const auto program = testing::assemble(subject.program);
    ASSERT_EQ(program.problem, "");
    const Verdict verdict = verify({.type = SocketFilter,
                                    .insns = program.insns,
                                    .maps = program.maps,
                                    .map_uses = program.uses,
                                    .log_level = spec::kLogStates,
                                    .rights = {.bpf = false, .perfmon = false}});
    EXPECT_EQ(verdict.result ? "" : verdict.result.error().message, subject.message) << verdict.log;
  }
}

}  // namespace
}  // namespace skep::verifier
