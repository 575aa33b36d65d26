#include "hooks/net/direct.h"

#include <gtest/gtest.h>

#include <vector>

#include "isa/asm.h"
#include "spec/commands.h"
#include "spec/uapi.h"

namespace skep::hooks::net {
namespace {

class DirectTest : public testing::Test {
 protected:
  void SetUp() override { hive_ = *hive::Hive::create({.verification = hive::Verification::Skipped}); }

  // The program `text` of this type, ready to run.
  std::unique_ptr<DirectRun> engine(spec::ProgType type, std::string_view text) {
    const auto assembly = isa::assemble(text);
    EXPECT_TRUE(assembly) << assembly.error().message;
    spec::Attr attr{};
    attr.prog_load.prog_type = static_cast<std::uint32_t>(type);
    attr.prog_load.insns = reinterpret_cast<std::uintptr_t>(assembly->insns.data());
    attr.prog_load.insn_cnt = static_cast<std::uint32_t>(assembly->insns.size());
    attr.prog_load.license = reinterpret_cast<std::uintptr_t>("GPL");
    hive::LocalCaller caller;
    fd_ = Fd(static_cast<int>(hive_->call(caller, static_cast<int>(spec::Command::ProgLoad),
                                          reinterpret_cast<std::uintptr_t>(&attr), sizeof attr)));
    EXPECT_TRUE(fd_) << hive::Hive::last_error();
    return std::make_unique<DirectRun>("checked", *hive_, *hive_->program(fd_.get()));
  }

  std::unique_ptr<hive::Hive> hive_;
  Fd fd_;
};

TEST_F(DirectTest, EachPacketHasItsOutcome) {
  const auto run = engine(spec::ProgType::Xdp, "r2 = *(u32 *)(r1 +0)\nr0 = *(u32 *)(r1 +4)\nr0 -= r2\nexit\n");
  const std::vector<std::byte> bytes(200);
  std::vector<Bytes> packets;
  for (std::size_t size = 10; size < 70; ++size) packets.push_back(Bytes(bytes).first(size));
  std::vector<Outcome> outcomes(packets.size());
  run->run(packets, outcomes);
  for (std::size_t i = 0; i < packets.size(); ++i) {
    if (packets[i].size() < 14) {
      EXPECT_EQ(outcomes[i].state, Outcome::State::Unfit);
    } else {
      ASSERT_EQ(outcomes[i].state, Outcome::State::Ran) << outcomes[i].why;
      EXPECT_EQ(outcomes[i].verdict, packets[i].size());
      EXPECT_EQ(outcomes[i].packet.size(), packets[i].size());
    }
  }
  EXPECT_EQ(run->totals().runs, 56U);
  EXPECT_EQ(run->totals().instructions, 56U * 4);
}

TEST_F(DirectTest, AProgramThatGoesWrongIsStopped) {
  const auto run = engine(spec::ProgType::Xdp, "r2 = *(u32 *)(r1 +0)\nr0 = *(u8 *)(r2 +500)\nexit\n");
  const std::vector<std::byte> packet(60);
  const std::vector<Bytes> packets{packet, packet};
  std::vector<Outcome> outcomes(2);
  run->run(packets, outcomes);
  for (const Outcome& outcome : outcomes) {
    EXPECT_EQ(outcome.state, Outcome::State::Stopped);
    EXPECT_NE(outcome.why.find("packet"), std::string::npos) << outcome.why;
  }
}

TEST_F(DirectTest, SocketBuffersSeeTheirLength) {
  const auto run = engine(spec::ProgType::SchedCls, "r0 = *(u32 *)(r1 +0)\nr1 = *(u32 *)(r1 +160)\nr0 += r1\nexit\n");
  const std::vector<std::byte> packet(9000);
  const std::vector<Bytes> packets{packet};
  std::vector<Outcome> outcomes(1);
  run->run(packets, outcomes);
  ASSERT_EQ(outcomes[0].state, Outcome::State::Ran) << outcomes[0].why;
  EXPECT_EQ(outcomes[0].verdict, 18000U);
  EXPECT_EQ(outcomes[0].packet.size(), 9000U);
}

}  // namespace
}  // namespace skep::hooks::net
