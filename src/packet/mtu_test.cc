#include "packet/mtu.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "packet/device.h"
#include "packet/frame.h"
#include "packet/test_run.h"
#include "packet/testing.h"

namespace skep::packet {
namespace {

constexpr std::uint32_t kNobody = 0x7fffffff;  // an interface index that is not given out

struct Mtu : ::testing::Test {
  void SetUp() override {
    ASSERT_EQ(begin(skb, skb_frame, testing::ipv4_tcp(), nullptr, spec::ProgType::SchedCls, 0), 0);
    ASSERT_EQ(begin(xdp, xdp_frame, testing::ipv4_tcp(), nullptr), 0);
    const std::optional<Link> loopback = link(kLoopback);
    ASSERT_TRUE(loopback);
    mtu = loopback->mtu;
  }
  Frame skb_frame, xdp_frame;
  SkBuff skb;
  XdpBuff xdp;
  std::uint32_t mtu = 0, size = 0;
};

TEST_F(Mtu, TheLimitIsInclusive) {
  const std::int32_t rest = static_cast<std::int32_t>(mtu) + 14 - 54;
  EXPECT_EQ(check_mtu(skb, {0, rest, 0}, size), kMtuFits);
  EXPECT_EQ(size, mtu);
  size = 0;
  EXPECT_EQ(check_mtu(skb, {0, rest + 1, 0}, size), kMtuFragmentationNeeded);
  size = 0;
  EXPECT_EQ(check_mtu(xdp, {0, rest, 0}, size), kMtuFits);
  size = 0;
  EXPECT_EQ(check_mtu(xdp, {0, rest + 1, 0}, size), kMtuFragmentationNeeded);
}

TEST_F(Mtu, AGivenSizeIsWithoutTheLinkHeader) {
  size = mtu;
  EXPECT_EQ(check_mtu(skb, {0, 0, 0}, size), kMtuFits);
  size = mtu + 1;
  EXPECT_EQ(check_mtu(skb, {0, 0, 0}, size), kMtuFragmentationNeeded);
  EXPECT_EQ(size, mtu);
}

TEST_F(Mtu, Errors) {
  size = 7;
  EXPECT_EQ(check_mtu(skb, {kNobody, 0, 0}, size), -ENODEV);
  EXPECT_EQ(check_mtu(xdp, {kNobody, 0, 0}, size), -ENODEV);
  EXPECT_EQ(check_mtu(skb, {0, 0, kMtuSegments}, size), -EINVAL);
  EXPECT_EQ(check_mtu(xdp, {0, 0, kMtuSegments}, size), -EINVAL);
  EXPECT_EQ(check_mtu(skb, {0, 0, 2}, size), -EINVAL);
  EXPECT_EQ(size, 7U);
}

TEST_F(Mtu, SegmentsAreMeasuredOneByOne) {
  skb.len = mtu + 100;  // nothing reads the bytes
  skb.gso_size = 1000;
  EXPECT_EQ(check_mtu(skb, {0, 0, kMtuSegments}, size), -EINVAL);  // headers of unknown length
  skb.transport_set = true;
  skb.transport_offset = skb.network_offset + 20;
  EXPECT_EQ(check_mtu(skb, {0, 0, kMtuSegments}, size), kMtuFits);
  size = 0;
  skb.gso_size = mtu - 19;
  EXPECT_EQ(check_mtu(skb, {0, 0, kMtuSegments}, size), kMtuSegmentsTooBig);
  EXPECT_EQ(check_mtu(skb, {0, 0, 0}, size = 0), kMtuFits);
}

}  // namespace
}  // namespace skep::packet
