// The limits are also compared with the running kernel's, in helpers/packet_kernel_test.cc.
#include "packet/xdp_ops.h"

#include <gtest/gtest.h>

#include "base/errno.h"
#include "packet/frame.h"
#include "packet/testing.h"

namespace skep::packet {
namespace {

using testing::Buffer;

struct XdpOps : ::testing::Test {
  void place(const Buffer& packet, std::size_t metadata = 0) { ASSERT_TRUE(frame.place(xdp, packet, metadata)); }
  Frame frame;
  XdpBuff xdp;
};

TEST_F(XdpOps, HeadMovesBetweenTheFrameHeaderAndTheLast14Bytes) {
  place(testing::ipv4_tcp());
  EXPECT_EQ(adjust_head(xdp, -217), -EINVAL);
  EXPECT_EQ(adjust_head(xdp, -216), 0);
  EXPECT_EQ(length(xdp), 270U);
  EXPECT_EQ(adjust_head(xdp, 216 + 41), -EINVAL);
  EXPECT_EQ(adjust_head(xdp, 216 + 40), 0);
  EXPECT_EQ(length(xdp), 14U);
  EXPECT_EQ(adjust_head(xdp, INT32_MIN), -EINVAL);
  EXPECT_EQ(adjust_head(xdp, INT32_MAX), -EINVAL);
}

TEST_F(XdpOps, MetadataMovesWithTheHead) {
  place(testing::ipv4_tcp(), 8);
  const Buffer metadata(xdp.data_meta, xdp.data);
  ASSERT_EQ(adjust_head(xdp, -20), 0);
  EXPECT_EQ(Buffer(xdp.data_meta, xdp.data), metadata);
  EXPECT_EQ(adjust_head(xdp, -216 + 20), -EINVAL);  // the metadata would enter the frame's header
}

TEST_F(XdpOps, MetadataIsWordsBelowData) {
  place(testing::ipv4_tcp());
  EXPECT_EQ(adjust_meta(xdp, -2), -EACCES);
  EXPECT_EQ(adjust_meta(xdp, -220), -EINVAL);
  EXPECT_EQ(adjust_meta(xdp, 4), -EINVAL);
  EXPECT_EQ(adjust_meta(xdp, -216), 0);
  EXPECT_EQ(adjust_meta(xdp, 212), 0);
  EXPECT_EQ(xdp.data - xdp.data_meta, 4);
  xdp.data_meta = xdp.data + 1;
  EXPECT_EQ(adjust_meta(xdp, -4), -kNotSupported);
  EXPECT_EQ(adjust_head(xdp, 4), 0);
  EXPECT_GT(xdp.data_meta, xdp.data);
}

TEST_F(XdpOps, TailGrowsWithZerosToTheFramesEnd) {
  place(testing::ipv4_tcp());
  std::memset(xdp.data_end, 0x55, 100);
  EXPECT_EQ(adjust_tail(xdp, 3467), -EINVAL);
  EXPECT_EQ(adjust_tail(xdp, 100), 0);
  EXPECT_EQ(Buffer(xdp.data_end - 100, xdp.data_end), Buffer(100));
  EXPECT_EQ(adjust_tail(xdp, -141), -EINVAL);
  EXPECT_EQ(adjust_tail(xdp, -140), 0);
  EXPECT_EQ(adjust_tail(xdp, INT32_MIN), -EINVAL);
  EXPECT_EQ(adjust_tail(xdp, INT32_MAX), -EINVAL);
}

TEST_F(XdpOps, FragmentsShrinkIntoTheLinearPart) {
  place(Buffer(4000, std::byte{1}));
  EXPECT_EQ(length(xdp), 4000U);
  EXPECT_EQ(adjust_tail(xdp, 4096 - 480 + 1), -EINVAL);  // behind the last fragment's page
  EXPECT_EQ(adjust_tail(xdp, 4096 - 480), 0);
  EXPECT_EQ(adjust_tail(xdp, -4096), 0);
  EXPECT_EQ(xdp.frags_end, nullptr);
  EXPECT_EQ(length(xdp), 3520U);
}

TEST_F(XdpOps, BytesReachIntoFragments) {
  Buffer packet(4000);
  for (std::size_t i = 0; i < packet.size(); ++i) packet[i] = static_cast<std::byte>(i * 3);
  place(packet);
  Buffer got(100);
  ASSERT_EQ(load_bytes(xdp, 3500, got), 0);
  EXPECT_TRUE(std::equal(got.begin(), got.end(), packet.begin() + 3500));
  EXPECT_EQ(load_bytes(xdp, 3901, got), -EINVAL);
  EXPECT_EQ(load_bytes(xdp, 0x10000, got), -EFAULT);
  EXPECT_EQ(store_bytes(xdp, 3519, testing::hex("aabb")), 0);
  EXPECT_EQ(xdp.data[3519], std::byte{0xaa});
  EXPECT_EQ(xdp.data[3520], std::byte{0xbb});
}

}  // namespace
}  // namespace skep::packet
