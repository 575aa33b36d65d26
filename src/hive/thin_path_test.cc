// The shortest way through everything: a map, elements, a program that uses it, a run.
#include "hive/testing.h"

namespace skep::hive::testing {
namespace {

using spec::Command;
using spec::ProgType;

// r0 = ++*array[0], as far as it is there.
Code counting(int map_fd) {
  return Code{insn(0x62, 10, 0, -4, 0), mov_reg(2, 10), insn(0x07, 2, 0, 0, -4)} + ld_imm64(1, 1, map_fd) +
         Code{call_helper(1),         insn(0x15, 0, 0, 4, 0), mov(1, 1),  insn(0xdb, 0, 1, 0, 0),
              insn(0x79, 0, 0, 0, 0), insn(0x05, 0, 0, 0, 0), exit_insn()};
}

TEST(ThinPath, CountsRunsInAMap) {
  HiveBpf bpf;
  Fds fds;
  const long map = fds.keep(create_map(bpf, {.name = "counter"}));
  ASSERT_GE(map, 0) << Hive::last_error();
  ASSERT_EQ(update(bpf, map, 0U, std::uint64_t{41}), 0);
  const long prog = fds.keep(load_prog(bpf, ProgType::Xdp, counting(static_cast<int>(map))));
  ASSERT_GE(prog, 0) << Hive::last_error();

  std::array<std::uint8_t, 64> packet{};
  spec::Attr attr{};
  attr.test.prog_fd = static_cast<std::uint32_t>(prog);
  attr.test.data_in = address(packet.data());
  attr.test.data_size_in = packet.size();
  ASSERT_EQ(bpf(Command::ProgTestRun, attr), 0) << Hive::last_error() << Hive::last_failure().text();
  EXPECT_EQ(attr.test.retval, 42U);
  EXPECT_EQ(lookup<std::uint64_t>(bpf, map, 0U), 42U);
  attr.test.repeat = 8;
  ASSERT_EQ(bpf(Command::ProgTestRun, attr), 0);
  EXPECT_EQ(attr.test.retval, 50U);

  spec::ProgInfo info{};
  ASSERT_EQ(get_info(bpf, prog, info), 0);
  EXPECT_EQ(info.type, 6U);
  EXPECT_EQ(info.nr_map_ids, 1U);
}

}  // namespace
}  // namespace skep::hive::testing
