// Calls of helpers, judged here and by the running kernel.
#include <gtest/gtest.h>

#include "verifier/explore/testing_judge.h"

namespace skep::verifier {
namespace {

using enum spec::ProgType;
using spec::AttachType;
using testing::Subject;

constexpr Subject kCases[] = {
#include "verifier/explore/helper_cases.inc"
};

TEST(HelperCalls, AreJudgedAsByTheRunningKernel) {
  SKEP_NEEDS_KERNEL_BPF();
  for (const Subject& subject : kCases) testing::expect_same_judgement(subject);
}

TEST(HelperCalls, ThatNeedAGplLicense) {
  SKEP_NEEDS_KERNEL_BPF();
  constexpr const char* kPrint =
      "*(u64 *)(r10 -8) = 0x6869\nr1 = r10\nr1 += -8\nr2 = 8\ncall bpf_trace_printk\nr0 = 0\nexit";
  for (const char* license : {"GPL", "Proprietary"})
    testing::expect_same_judgement({"printk", Kprobe, kPrint, {}, 0, license});
}

}  // namespace
}  // namespace skep::verifier
