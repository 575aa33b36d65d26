#include "kernel/bpf.h"

#include <gtest/gtest.h>
#include <linux/bpf.h>

#include <array>

namespace skep::kernel {
namespace {

// A program of two instructions that returns `value`.
std::array<bpf_insn, 2> returns(int value) {
  return {{{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = value},
           {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}}};
}

class KernelTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!available()) GTEST_SKIP() << why_unavailable();
  }
};

TEST(Kernel, UnknownCommandIsAnErrno) {
  bpf_attr attr{};
  EXPECT_LT(bpf(9999, &attr, sizeof attr), 0);
}

TEST_F(KernelTest, RunsAProgramOnAPacket) {
  const auto insns = returns(XDP_TX);
  Result<Fd> fd = load_program({.type = BPF_PROG_TYPE_XDP, .insns = std::as_bytes(std::span(insns)), .name = "tx"});
  ASSERT_TRUE(fd) << fd.error().message;
  std::array<std::byte, 64> packet{}, out{};
  packet[20] = std::byte{7};
  TestRun run;
  run.data = packet;
  run.data_out = out;
  ASSERT_EQ(test_run(fd->get(), run), 0);
  EXPECT_EQ(run.verdict, std::uint32_t{XDP_TX});
  EXPECT_EQ(run.data_out.size(), packet.size());
  EXPECT_EQ(out, packet);
}

TEST_F(KernelTest, RefusalCarriesTheLog) {
  auto insns = returns(0);
  insns[0].code = BPF_ALU64 | BPF_MOV | BPF_X;
  insns[0].imm = 0;
  insns[0].src_reg = 5;  // never written
  Result<Fd> fd = load_program({.type = BPF_PROG_TYPE_XDP, .insns = std::as_bytes(std::span(insns)), .name = ""});
  ASSERT_FALSE(fd);
  EXPECT_EQ(fd.error().code, EACCES);
  EXPECT_NE(fd.error().message.find("R5 !read_ok"), std::string::npos) << fd.error().message;
}

TEST_F(KernelTest, MapsHoldWhatIsPutIn) {
  Result<Fd> fd =
      create_map({.type = BPF_MAP_TYPE_HASH, .key_size = 4, .value_size = 8, .max_entries = 4, .name = "m"});
  ASSERT_TRUE(fd) << fd.error().message;
  Result<MapInfo> info = map_info(fd->get());
  ASSERT_TRUE(info) << info.error().message;
  EXPECT_EQ(info->value_size, 8U);
  EXPECT_EQ(info->name, "m");
  const std::uint32_t key = 3;
  const std::uint64_t value = 33;
  std::uint32_t next = 0;
  std::uint64_t read = 0;
  EXPECT_EQ(lookup(fd->get(), bytes_of(key).data(), std::as_writable_bytes(std::span(&read, 1)).data()), -ENOENT);
  EXPECT_EQ(update(fd->get(), bytes_of(key).data(), bytes_of(value).data(), BPF_EXIST), -ENOENT);
  ASSERT_EQ(update(fd->get(), bytes_of(key).data(), bytes_of(value).data(), BPF_ANY), 0);
  ASSERT_EQ(next_key(fd->get(), nullptr, std::as_writable_bytes(std::span(&next, 1)).data()), 0);
  EXPECT_EQ(next, key);
  ASSERT_EQ(lookup(fd->get(), bytes_of(key).data(), std::as_writable_bytes(std::span(&read, 1)).data()), 0);
  EXPECT_EQ(read, value);
  EXPECT_FALSE(map_info(0));
}

}  // namespace
}  // namespace skep::kernel
