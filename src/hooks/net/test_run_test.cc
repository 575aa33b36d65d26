#include "hooks/net/test_run.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include "spec/commands.h"
#include "spec/uapi.h"

namespace skep::hooks::net {
namespace {

// A bpf(2) that gives packets back with their first byte changed.
long echo(int command, spec::Attr& attr) {
  EXPECT_EQ(command, static_cast<int>(spec::Command::ProgTestRun));
  EXPECT_EQ(attr.test.prog_fd, 7U);
  if (attr.test.data_size_in < 14) return -EINVAL;
  auto* out = reinterpret_cast<std::byte*>(attr.test.data_out);
  std::memcpy(out, reinterpret_cast<const void*>(attr.test.data_in), attr.test.data_size_in);
  out[0] = std::byte{0xff};
  attr.test.data_size_out = attr.test.data_size_in;
  attr.test.retval = 3;
  attr.test.duration = 50;
  return 0;
}

TEST(TestRun, OutcomesAreTheCallsAnswers) {
  TestRun engine("echo", 7, Hook::Xdp, echo, nullptr);
  const std::array<std::byte, 60> packet{};
  const std::array<std::byte, 4> tiny{};
  const std::array<Bytes, 2> packets{packet, tiny};
  std::array<Outcome, 2> outcomes;
  engine.run(packets, outcomes);
  EXPECT_EQ(outcomes[0].state, Outcome::State::Ran);
  EXPECT_EQ(outcomes[0].verdict, 3U);
  EXPECT_EQ(outcomes[0].packet.size(), 60U);
  EXPECT_EQ(outcomes[0].packet[0], std::byte{0xff});
  EXPECT_EQ(outcomes[0].context.size(), sizeof(spec::XdpMd));
  EXPECT_EQ(outcomes[1].state, Outcome::State::Unfit);
  EXPECT_EQ(outcomes[1].why, "a test run takes no packet of 4 bytes (Invalid argument)");
  EXPECT_EQ(engine.totals().runs, 1U);
  EXPECT_EQ(engine.totals().nanoseconds, 50U);
}

TEST(TestRun, AStoppedProgramIsNoUnfitPacket) {
  const auto stops = [](int, spec::Attr&) -> long { return -EACCES; };
  TestRun engine("stops", 7, Hook::Tc, stops, [] { return std::string("it read too far"); });
  const std::array<std::byte, 60> packet{};
  const std::array<Bytes, 1> packets{packet};
  std::array<Outcome, 1> outcomes;
  engine.run(packets, outcomes);
  EXPECT_EQ(outcomes[0].state, Outcome::State::Stopped);
  EXPECT_EQ(outcomes[0].why, "it read too far");
}

}  // namespace
}  // namespace skep::hooks::net
