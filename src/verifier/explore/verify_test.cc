// Programs judged twice, here and by the running kernel: verdict, errno and log must be the same.
#include "verifier/explore/verify.h"

#include <gtest/gtest.h>

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // in <regex>, when g++ 12 builds for sanitizers
#endif

#include <random>
#include <regex>
#include <string>
#include <vector>

#include "btf/testing_builder.h"
#include "isa/op.h"
#include "spec/uapi.h"
#include "verifier/testing_kernel.h"
#include "verifier/testing_programs.h"

namespace skep::verifier {
namespace {

using testing::assembled;

// What releases say differently, and what is not followed here yet. Each row is taken out of both logs.
struct Difference {
  const char* what;
  const char* pattern;
  const char* replacement;
};
constexpr Difference kDifferences[] = {
    {"the state stands behind its instruction, or on a line of its own after marks of precision",
     R"((\n[0-9]+: \([0-9a-f]{2}\)[^\n;]*[^ \n;]) +;( [^\n]*))", "$1\n0:$2"},
    {"which, after marks of precision, has the next instruction's number",
     R"(\n[0-9]+:( (frame[0-9]+: )?(R|fp)[^\n]*))", "\n:$1"},
    {"liveness is computed before the walk by 6.18, and not printed by 6.12", R"(Live regs before insn:\n( [^\n]*\n)*)",
     ""},
    {"6.18 computes the stack's liveness at exits", R"(\([0-9,]+\) (frame|live) [^\n]*\n)", ""},
    {"6.12 marks what was written", R"(((R|fp-)[0-9]+)_[rwD]+=)", "$1="},
    {"checkpoints are counted differently",
     R"(max_states_per_insn [0-9]+ total_states [0-9]+ peak_states [0-9]+ mark_read [0-9]+)", ""},
    {"time", "verification time [0-9]+ usec", ""},
};

std::string normalized(std::string log) {
  for (const Difference& difference : kDifferences)
    log = std::regex_replace(log, std::regex(difference.pattern), difference.replacement);
  return log;
}

struct Case {
  const char* title;
  const char* program;
};

void expect_same(const Case& subject, spec::ProgType type, std::uint32_t level, std::uint32_t flags = 0) {
  SCOPED_TRACE(subject.title);
  const auto insns = assembled(subject.program);
  const auto said = testing::ask_kernel({.type = type, .insns = insns, .log_level = level, .flags = flags});
  const auto ours =
      verify({.type = type, .insns = insns, .flags = flags, .log_level = level}, testing::rules_of_running_kernel());
  EXPECT_EQ(ours.result ? 0 : ours.result.error().code, said.error) << ours.log << said.log;
  EXPECT_EQ(normalized(ours.log), normalized(said.log)) << said.log;
}

constexpr Case kCases[] = {
#include "verifier/explore/verify_cases.inc"
};

constexpr Case kPacketCases[] = {
#include "verifier/explore/packet_cases.inc"
};

constexpr Case kCallCases[] = {
#include "verifier/explore/call_cases.inc"
};

constexpr Case kReturnCases[] = {
#include "verifier/explore/return_cases.inc"
};

TEST(Verify, AgreesAboutCalls) {
  SKEP_NEEDS_KERNEL_BPF();
  for (const Case& subject : kCallCases) expect_same(subject, spec::ProgType::SocketFilter, spec::kLogStates);
}

TEST(Verify, AgreesAboutWhatIsReturned) {
  SKEP_NEEDS_KERNEL_BPF();
  for (const Case& subject : kReturnCases) expect_same(subject, spec::ProgType::CgroupSkb, spec::kLogStates);
}

TEST(Verify, AgreesAboutPackets) {
  SKEP_NEEDS_KERNEL_BPF();
  for (const Case& subject : kPacketCases) expect_same(subject, spec::ProgType::Xdp, spec::kLogStates);
}

TEST(Verify, AgreesWithTheRunningKernel) {
  SKEP_NEEDS_KERNEL_BPF();
  for (const Case& subject : kCases) expect_same(subject, spec::ProgType::SocketFilter, spec::kLogStates);
}

TEST(Verify, AgreesAtEveryLogLevel) {
  SKEP_NEEDS_KERNEL_BPF();
  for (const std::uint32_t level : {1U, 4U, 5U, 6U, 7U})
    for (const Case& subject : kCases) expect_same(subject, spec::ProgType::SocketFilter, level);
}

// Random programs that move numbers and pointers between registers and the stack and branch on them.
class Generator {
 public:
  explicit Generator(unsigned seed) : random_(seed) {}

  std::vector<isa::Insn> make() {
    start();
    for (int i = 0; i < 10; ++i) one();
    finish();
    return std::move(insns_);
  }

 private:
  static constexpr unsigned kNumbers = 10;  // r0 to r9

  unsigned pick(std::size_t below) { return static_cast<unsigned>(random_() % below); }
  std::int32_t immediate() {
    const auto x = static_cast<std::int32_t>(random_());
    return pick(3) ? static_cast<std::int32_t>(pick(40)) - 8 : x >> pick(32);
  }
  void emit(isa::Op op, unsigned dst = 0, unsigned src = 0, std::int32_t off = 0, std::int32_t imm = 0) {
    isa::Insn insn = isa::encode(op);
    const std::uint8_t fields = isa::form_info(op).fields;
    insn.dst = dst & 0xf;
    if (fields & isa::kSrc) insn.src = src & 0xf;
    if (fields & isa::kOff) insn.off = static_cast<std::int16_t>(off);
    if (fields & isa::kImm) insn.imm = imm;
    insns_.push_back(insn);
  }

  void start() {
    emit(isa::Op::Mov64Reg, 9, 1);
    for (unsigned reg = 6; reg < 9; ++reg) {
      emit(isa::Op::CallHelper, 0, 0, 0, 5);
      emit(isa::Op::Mov64Reg, reg, 0);
    }
    for (unsigned reg = 0; reg < 6; ++reg)
      pick(3) ? emit(isa::Op::Mov64Imm, reg, 0, 0, immediate()) : emit(isa::Op::Mov64Reg, reg, 6 + pick(5));
  }
  void one() {
    switch (pick(5)) {
      case 0: return branch();
      case 1: return stack();
      default: return arithmetic();
    }
  }
  void arithmetic() {
    static constexpr isa::Op kOps[] = {
#define ROW(name) isa::Op::name##32Imm, isa::Op::name##32Reg, isa::Op::name##64Imm, isa::Op::name##64Reg
        ROW(Add),
        ROW(Sub),
        ROW(And),
        ROW(Or),
        ROW(Xor),
        ROW(Mul),
        ROW(Mov),
        ROW(Mov),
        ROW(Add),
        ROW(Div),
        ROW(SMod),
#undef ROW
        isa::Op::MovSx8To64,
        isa::Op::MovSx16To32,
        isa::Op::MovSx32To64,
        isa::Op::Lsh64Imm,
        isa::Op::Rsh32Imm,
        isa::Op::Arsh64Imm,
        isa::Op::Lsh32Reg,
        isa::Op::Neg64,
        isa::Op::Neg32,
        isa::Op::Be32,
        isa::Op::Swap64};
    emit(kOps[pick(std::size(kOps))], pick(kNumbers), pick(kNumbers), 0, immediate());
  }
  void stack() {
    static constexpr isa::Op kOps[] = {
        isa::Op::StoreReg8,  isa::Op::StoreReg32, isa::Op::StoreReg64, isa::Op::StoreReg64, isa::Op::StoreImm16,
        isa::Op::StoreImm64, isa::Op::Load8,      isa::Op::Load16,     isa::Op::Load32,     isa::Op::Load64,
        isa::Op::Load64,     isa::Op::LoadSx8,    isa::Op::LoadSx32};
    const isa::Op op = kOps[pick(std::size(kOps))];
    const bool load = isa::reads_memory(op);
    const unsigned size = isa::access_bytes(op);
    const int offset = -static_cast<int>(8 * (1 + pick(2))) + static_cast<int>(pick(8 / size) * size);
    const unsigned base = pick(12) ? 10 : pick(kNumbers);
    emit(op, load ? pick(kNumbers) : base, load ? base : pick(kNumbers), offset, immediate());
  }
  void branch() {
    static constexpr isa::Op kOps[] = {
#define JUMP(name, ...) \
  isa::Op::J##name##32Imm, isa::Op::J##name##32Reg, isa::Op::J##name##64Imm, isa::Op::J##name##64Reg,
#include "isa/jump.def"
    };
    emit(kOps[pick(std::size(kOps))], pick(kNumbers), pick(kNumbers), 1 + static_cast<int>(pick(2)), immediate());
  }
  // Every register is read, so that none is dead before: what is dead 6.18 forgets.
  void finish() {
    for (unsigned reg = 0; reg < kNumbers; ++reg) emit(isa::Op::StoreReg64, 10, reg, -64 - 8 * static_cast<int>(reg));
    emit(isa::Op::Mov64Imm, 0);
    emit(isa::Op::Exit);
  }

  std::mt19937 random_;
  std::vector<isa::Insn> insns_;
};

TEST(Verify, AgreesOnRandomPrograms) {
  SKEP_NEEDS_KERNEL_BPF();
  int accepted = 0, rejected = 0, apart = 0;
  for (unsigned seed = 1; seed <= 600; ++seed) {
    SCOPED_TRACE(seed);
    const auto insns = Generator(seed).make();
    const auto ours = verify({.type = spec::ProgType::SocketFilter, .insns = insns, .log_level = spec::kLogStates},
                             testing::rules_of_running_kernel());
    const auto said = testing::ask_kernel({.insns = insns});
    const bool unknown_here = !ours.result && ours.result.error().code == EOPNOTSUPP;
    if (unknown_here || said.log.contains(": safe\n")) {
      ++apart;
      continue;
    }
    ASSERT_EQ(ours.result ? 0 : ours.result.error().code, said.error) << ours.log << said.log;
    ASSERT_EQ(normalized(ours.log), normalized(said.log)) << said.log;
    ++(said.error ? rejected : accepted);
  }
  EXPECT_GT(accepted, 60);
  EXPECT_GT(rejected, 150);
  EXPECT_LT(apart, 150);
}

TEST(Verify, AgreesForOtherTypesAndFlags) {
  SKEP_NEEDS_KERNEL_BPF();
  for (const Case& subject : kCases) {
    expect_same(subject, spec::ProgType::SchedCls, spec::kLogStates);
    expect_same(subject, spec::ProgType::SocketFilter, spec::kLogStates, spec::kStrictAlignment);
  }
}

// The marks of liveness that 6.12 prints, and the unknown result of a negation, which 6.18 follows.
TEST(Verify, FollowsTheReleaseAskedFor) {
  const auto insns = assembled("r0 = *(u32 *)(r1 +4)\nr0 &= 3\nr0 = -r0\n*(u64 *)(r10 -8) = r0\nexit");
  const spec::VerifyInput fields{.type = spec::ProgType::SocketFilter, .insns = insns, .log_level = spec::kLogStates};
  EXPECT_EQ(
      verify(fields, Rules::Linux612).log,
      "func#0 @0\n"
      "0: R1=ctx() R10=fp0\n"
      "0: (61) r0 = *(u32 *)(r1 +4)          ; R0_w=scalar(smin=0,smax=umax=0xffffffff,var_off=(0x0; 0xffffffff)) "
      "R1=ctx()\n"
      "1: (57) r0 &= 3                       ; R0_w=scalar(smin=smin32=0,smax=umax=smax32=umax32=3,var_off=(0x0; "
      "0x3))\n"
      "2: (87) r0 = -r0                      ; R0_w=scalar()\n"
      "3: (7b) *(u64 *)(r10 -8) = r0         ; R0_w=scalar(id=1) R10=fp0 fp-8_w=scalar(id=1)\n"
      "4: (95) exit\n"
      "processed 5 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0\n");
  EXPECT_TRUE(verify(fields, Rules::Linux618).log.contains("R0=scalar(smin=smin32=-3,smax=smax32=0)"));
}

// What has no rules yet is refused with a sentence that says so.
TEST(Verify, RefusesWhatItDoesNotKnow) {
  const auto exits = assembled("r0 = 0\nexit");
  const auto calls = assembled(".insn 0x85, 0, 2, 7, 1\nr0 = 0\nexit");  // a function of a kernel module
  btf::testing::Builder builder;
  builder.add_int("int", 4, btf::kSigned);
  const auto types = btf::Btf::parse(builder.bytes());
  ASSERT_TRUE(types);
  const spec::VerifyInput subjects[] = {
      {.type = spec::ProgType::Xdp, .insns = calls, .log_level = 1, .kernel_btf = &*types},
      {.type = spec::ProgType::Xdp, .insns = calls, .kernel_btf = &*types},
  };
  for (const spec::VerifyInput& subject : subjects) {
    const auto verdict = verify(subject);
    ASSERT_FALSE(verdict.result);
    EXPECT_EQ(verdict.result.error().code, EOPNOTSUPP) << verdict.log;
    EXPECT_TRUE(verdict.result.error().message.starts_with("not supported yet: ")) << verdict.result.error().message;
  }
  EXPECT_TRUE(verify({.type = spec::ProgType::Xdp, .insns = exits}).result);
}

TEST(Verify, WhatOnlyEgressMayReturn) {
  const struct {
    const char* program;
    spec::AttachType attach;
    bool enforced;
  } subjects[] = {
      {"r0 = 1\nexit", spec::AttachType::CgroupInetEgress, false},
      {"r0 = 2\nexit", spec::AttachType::CgroupInetEgress, true},
      {"call bpf_get_prandom_u32\nr0 &= 1\nr0 += 2\nexit", spec::AttachType::CgroupInetEgress, true},
      {"call bpf_get_prandom_u32\nr0 &= 3\nexit", spec::AttachType::CgroupInetEgress, false},
      {"r0 = 1\nexit", spec::AttachType::CgroupInetIngress, false},
  };
  for (const auto& subject : subjects) {
    const auto insns = assembled(subject.program);
    const auto verdict = verify({.type = spec::ProgType::CgroupSkb, .attach = subject.attach, .insns = insns});
    ASSERT_TRUE(verdict.result) << verdict.log;
    EXPECT_EQ(verdict.result->enforces_attach_type, subject.enforced) << subject.program;
  }
}

TEST(Verify, LimitsAreKept) {
  const auto nothing = verify({.type = spec::ProgType::SocketFilter, .insns = {}});
  EXPECT_EQ(nothing.result.error().code, E2BIG);

  // A loop of a billion rounds: the limit of instructions ends it, with Linux's words.
  const auto insns = assembled("r0 = 0\nr0 += 1\nif r0 < 1000000000 goto -2\nexit");
  const auto verdict = verify({.type = spec::ProgType::SocketFilter, .insns = insns});
  ASSERT_FALSE(verdict.result);
  EXPECT_EQ(verdict.result.error().code, E2BIG);
  EXPECT_EQ(verdict.result.error().message, "BPF program is too large. Processed 1000001 insn");
}

// Of a long log the end is kept, and its size told.
TEST(Verify, LogsAreKeptUpToTheirLimit) {
  const auto insns = assembled("r0 = 0\nr0 += 1\nif r0 < 20000 goto -2\nexit");
  const auto verdict =
      verify({.type = spec::ProgType::SocketFilter, .insns = insns, .log_level = 2, .log_limit = 1U << 16});
  ASSERT_TRUE(verdict.result);
  EXPECT_EQ(verdict.log.size(), 1U << 16);
  EXPECT_GT(verdict.log_size, 1U << 20);
  EXPECT_TRUE(verdict.log.contains("processed 40002 insns"));
}

}  // namespace
}  // namespace skep::verifier
