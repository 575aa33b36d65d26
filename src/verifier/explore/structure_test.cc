// Functions of structures that the kernel calls (struct_ops), judged here and by the running kernel.
#include <gtest/gtest.h>

#include <string>

#include "verifier/explore/testing_judge.h"

namespace skep::verifier {
namespace {

using testing::Subject;

struct Case {
  const char* title;
  const char* structure;
  unsigned member;
  const char* program;
};
constexpr Case kCases[] = {
#include "verifier/explore/structure_cases.inc"
};

Subject subject_of(const Case& row, std::uint32_t flags = 0, const char* license = "GPL") {
  return {row.title,    spec::ProgType::StructOps, row.program, spec::AttachType{row.member}, flags, license,
          row.structure};
}

TEST(Structures, AreJudgedAsByTheRunningKernel) {
  SKEP_NEEDS_KERNEL_BPF();
  for (const Case& row : kCases) testing::expect_same_judgement(subject_of(row));
}

TEST(Structures, ThatMaySleep) {
  SKEP_NEEDS_KERNEL_BPF();
  for (const unsigned member : {0U, 1U, 2U})
    testing::expect_same_judgement(subject_of({"dummy", "bpf_dummy_ops", member, "r0 = 0\nexit"}, spec::kSleepable));
  testing::expect_same_judgement(subject_of({"tcp", "tcp_congestion_ops", 0, "r0 = 0\nexit"}, spec::kSleepable));
}

TEST(Structures, NeedAGplLicense) {
  SKEP_NEEDS_KERNEL_BPF();
  testing::expect_same_judgement(subject_of({"license", "bpf_dummy_ops", 0, "r0 = 0\nexit"}, 0, "Proprietary"));
}

// Every byte of the kernel's objects that programs may write one of.
TEST(Structures, FieldsThatMayBeWritten) {
  SKEP_NEEDS_KERNEL_BPF();
  const auto type = testing::kernel_types()->find("tcp_sock", btf::Kind::Struct);
  const std::uint32_t bytes = testing::kernel_types()->size_of(type.value_or(0)).value_or(0);
  ASSERT_GT(bytes, 0U);
  for (std::uint32_t at = 0; at < bytes; at += at % 8 == 0 ? 4 : 8 - at % 8) {
    const std::string program = "r1 = *(u64 *)(r1 +0)\n*(u32 *)(r1 +" + std::to_string(at) + ") = 1\nr0 = 0\nexit";
    testing::expect_same_judgement(subject_of({"tcp_sock", "tcp_congestion_ops", 1, program.c_str()}));
  }
}

}  // namespace
}  // namespace skep::verifier
