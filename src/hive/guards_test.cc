// What a loader without CAP_PERFMON is shown of a program: masks and barriers against speculation, as in Linux.
#include <gtest/gtest.h>
#include <linux/capability.h>

#include "hive/testing.h"
#include "isa/asm.h"
#include "isa/disasm.h"

namespace skep::hive::testing {
namespace {

using spec::Command;
using spec::ProgType;

// This thread without CAP_PERFMON and what includes it, in the kernel's eyes.
class WithoutPerfmon {
 public:
  WithoutPerfmon() {
    ::syscall(SYS_capget, &header_, before_);
    __user_cap_data_struct less[2] = {before_[0], before_[1]};
    less[0].effective &= ~(1U << CAP_SYS_ADMIN);
    less[CAP_PERFMON / 32].effective &= ~(1U << CAP_PERFMON % 32);
    worked = ::syscall(SYS_capset, &header_, less) == 0;
  }
  ~WithoutPerfmon() { ::syscall(SYS_capset, &header_, before_); }
  WithoutPerfmon(const WithoutPerfmon&) = delete;
  WithoutPerfmon& operator=(const WithoutPerfmon&) = delete;
  bool worked = false;

 private:
  __user_cap_header_struct header_{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct before_[2] = {};
};

// r7 and r8: the middle of an array's value of 64 bytes; r6: a number out of it.
Code on_a_value(long map, std::string_view body) {
  const auto assembled =
      isa::assemble("r8 = r7\nr6 = *(u64 *)(r7 +0)\n" + std::string(body) + "\nr0 = 0\nexit", isa::no_symbols());
  EXPECT_TRUE(assembled) << body;
  return ld_imm64(7, 2, static_cast<int>(map), 32) + (assembled ? assembled->insns : Code{});
}

std::string shown(Bpf& bpf, long prog) {
  if (prog < 0) return "not loaded: " + std::to_string(prog);
  Code insns(256);
  spec::ProgInfo info{};
  info.xlated_prog_insns = address(insns.data());
  info.xlated_prog_len = static_cast<std::uint32_t>(insns.size() * sizeof insns[0]);
  spec::Attr attr{};
  attr.info.bpf_fd = static_cast<std::uint32_t>(prog);
  attr.info.info = address(&info);
  attr.info.info_len = sizeof info;
  EXPECT_EQ(bpf(Command::ObjGetInfoByFd, attr), 0);
  insns.resize(info.xlated_prog_len / sizeof insns[0]);
  if (insns.empty()) return "nothing is shown";
  insns[0].imm = 0;  // the map's id
  isa::PrintOptions options;
  options.index = isa::Show::No;
  return isa::disassemble(insns, isa::no_names(), options);
}

std::string in_hive(std::string_view body) {
  HiveBpf bpf;
  Fds fds;
  const long map = fds.keep(create_map(bpf, {.value = 64, .entries = 1}));
  const Code code = on_a_value(map, body);
  Unprivileged somebody;
  somebody.rights = {.bpf = true, .perfmon = false, .net_admin = true, .sys_admin = false};
  spec::Attr attr = prog_attr(ProgType::SocketFilter, code);
  const long prog = bpf.hive->call(somebody, static_cast<int>(Command::ProgLoad), address(&attr), sizeof attr);
  return shown(bpf, fds.keep(prog));
}

std::string in_kernel(std::string_view body) {
  KernelBpf bpf;
  Fds fds;
  const long map = fds.keep(create_map(bpf, {.value = 64, .entries = 1}));
  const Code code = on_a_value(map, body);
  long prog = -1;
  {
    const WithoutPerfmon less;
    EXPECT_TRUE(less.worked);
    prog = fds.keep(load_prog(bpf, ProgType::SocketFilter, code));
  }
  return shown(bpf, prog);
}

struct GuardCase {
  const char* name;
  const char* body;
  const char* contains;  // of what is shown, in Linux and here
};
constexpr GuardCase kCases[] = {
    {"up", "r6 &= 15\nr7 += r6\nr0 = *(u8 *)(r7 +0)",
     "(b4) w11 = 15\n(1f) r11 -= r6\n(4f) r11 |= r6\n(87) r11 = -r11\n"
     "(c7) r11 s>>= 63\n(5f) r11 &= r6\n(0f) r7 += r11\n"},
    {"out_of_the_object", "r6 &= 7\nr7 -= r6\nr0 = *(u8 *)(r7 +0)", "not loaded: -13"},
    {"into_the_number", "r6 &= 7\nr6 += r7\nr0 = *(u8 *)(r6 +0)", "(5f) r11 &= r6\n(bf) r6 = r7\n(0f) r6 += r11\n"},
    {"known", "r6 = 4\nr7 += r6\nr0 = *(u8 *)(r7 +0)", "(b4) w11 = 4\n(0f) r7 += r11\n"},
    {"two_numbers", "r6 += r6\nr0 = *(u8 *)(r7 +0)", "(0f) r6 += r6\n"},
    {"around_a_jump", "if r6 > 15 goto +2\nr7 += r6\nr0 = *(u8 *)(r7 +0)", "goto pc+8\n"},
    {"pointer_on_the_stack", "*(u64 *)(r10 -8) = r7\nr7 = *(u64 *)(r10 -8)", "(7b) *(u64 *)(r10 -8) = r7\nBUG_c2"},
    {"over_what_was_there", "*(u64 *)(r10 -8) = r6\n*(u64 *)(r10 -8) = r6",
     "BUG_c2\n(7b) *(u64 *)(r10 -8) = r6\nBUG_c2\n"},
    {"bytes_on_the_stack", "*(u8 *)(r10 -8) = 1\n*(u8 *)(r10 -8) = 2", "BUG_c2\n(72) *(u8 *)(r10 -8) = 2\nBUG_c2\n"},
};

class Guards : public ::testing::TestWithParam<GuardCase> {};

TEST_P(Guards, AreShown) {
  const std::string shown = in_hive(GetParam().body);
  EXPECT_NE(shown.find(GetParam().contains), std::string::npos) << shown;
}

TEST_P(Guards, AreThoseOfTheKernel) {
  if (!KernelBpf::here()) GTEST_SKIP() << "no bpf(2) here";
  EXPECT_EQ(in_hive(GetParam().body), in_kernel(GetParam().body));
}

INSTANTIATE_TEST_SUITE_P(Speculation, Guards, ::testing::ValuesIn(kCases),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace skep::hive::testing
