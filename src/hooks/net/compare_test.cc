#include "hooks/net/compare.h"

#include <gtest/gtest.h>

#include <array>

namespace skep::hooks::net {
namespace {

using Texts = std::vector<std::string>;

class CompareTest : public testing::Test {
 protected:
  CompareTest() {
    for (Outcome* outcome : {&a_, &b_}) {
      outcome->verdict = 2;
      outcome->packet = packet_;
      outcome->context = context_;
    }
  }
  Texts compare() const { return differences(Hook::Xdp, "checked", a_, "kernel", b_); }

  std::array<std::byte, 20> packet_{}, other_packet_{};
  std::array<std::byte, 24> context_{}, other_context_{};
  Outcome a_, b_;
};

TEST_F(CompareTest, EqualIsEmpty) { EXPECT_EQ(compare(), Texts{}); }

TEST_F(CompareTest, Verdicts) {
  b_.verdict = 1;
  EXPECT_EQ(compare(), Texts{"verdict: checked XDP_PASS (2), kernel XDP_DROP (1)"});
}

TEST_F(CompareTest, StoppedAndRan) {
  a_.state = Outcome::State::Stopped;
  a_.why = "outside";
  EXPECT_EQ(compare(), Texts{"verdict: checked stopped (outside), kernel XDP_PASS (2)"});
}

TEST_F(CompareTest, PacketBytesAndLengths) {
  other_packet_[7] = std::byte{9};
  b_.packet = other_packet_;
  EXPECT_EQ(compare(), Texts{"packet: checked has 20 bytes, kernel has 20; at byte 7: 00 00 00 00 and 09 00 00 00"});
  b_.packet = Bytes(packet_).first(19);
  EXPECT_EQ(compare(), Texts{"packet: checked has 20 bytes, kernel has 19; at byte 19: 00 and its end"});
}

TEST_F(CompareTest, ContextFieldsHaveNames) {
  other_context_[12] = std::byte{1};
  b_.context = other_context_;
  EXPECT_EQ(compare(), Texts{"context: at ingress_ifindex (byte 12): checked 00 00 00 00, kernel 01 00 00 00"});
  b_.context = {};  // an engine that does not say
  EXPECT_EQ(compare(), Texts{});
}

}  // namespace
}  // namespace skep::hooks::net
