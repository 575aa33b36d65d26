#include "packet/frame.h"

#include <gtest/gtest.h>

#include "packet/testing.h"

namespace skep::packet {
namespace {

using testing::Buffer;

Buffer copy(const std::byte* from, const std::byte* to) { return {from, to}; }

TEST(Frame, PlacesXdpPacketBehindClearedHeadroom) {
  Frame frame;
  XdpBuff xdp;
  const Buffer packet = testing::ipv4_tcp();
  ASSERT_TRUE(frame.place(xdp, packet));
  EXPECT_EQ(copy(xdp.data, xdp.data_end), packet);
  EXPECT_EQ(xdp.data_meta, xdp.data);
  EXPECT_EQ(xdp.data - xdp.data_hard_start, 256);
  EXPECT_EQ(xdp.data_hard_end - xdp.data, 3520);
  EXPECT_EQ(copy(xdp.data_hard_start, xdp.data), Buffer(256));
}

TEST(Frame, MetadataEndsWhereDataStarts) {
  Frame frame;
  XdpBuff xdp;
  const Buffer packet = testing::ipv4_tcp();
  ASSERT_TRUE(frame.place(xdp, packet, 8));
  EXPECT_EQ(xdp.data - xdp.data_hard_start, 256);
  EXPECT_EQ(xdp.data - xdp.data_meta, 8);
  EXPECT_EQ(copy(xdp.data_meta, xdp.data_end), packet);
}

TEST(Frame, LongPacketsContinueInFragments) {
  Frame frame;
  XdpBuff xdp;
  Buffer packet(65536);
  for (std::size_t i = 0; i < packet.size(); ++i) packet[i] = static_cast<std::byte>(i * 7);
  ASSERT_TRUE(frame.place(xdp, packet));
  EXPECT_EQ(xdp.data_end - xdp.data, 3520);
  EXPECT_EQ(copy(xdp.data, xdp.frags_end), packet);
}

TEST(Frame, IsReusedWithoutTraces) {
  Frame frame;
  XdpBuff xdp;
  ASSERT_TRUE(frame.place(xdp, Buffer(5000, std::byte{0xaa})));
  const std::byte* const start = xdp.data_hard_start;
  std::memset(xdp.data_hard_start, 0x55, 256);
  ASSERT_TRUE(frame.place(xdp, testing::ipv4_tcp()));
  EXPECT_EQ(xdp.data_hard_start, start);
  EXPECT_EQ(xdp.frags_end, nullptr);
  EXPECT_EQ(copy(xdp.data_hard_start, xdp.data), Buffer(256));
}

TEST(Frame, HasRoomForWhatHelpersMayMakeOfAnSkb) {
  Frame frame;
  SkBuff skb;
  for (const std::size_t size : {std::size_t{0}, std::size_t{54}, std::size_t{65536}}) {
    ASSERT_TRUE(frame.place(skb, Buffer(size)));
    EXPECT_EQ(skb.len, size);
    EXPECT_EQ(skb.data - skb.head, 64);
    EXPECT_GE(skb.end - skb.data, static_cast<std::ptrdiff_t>(std::max(size, kSkbMaxLen)));
  }
}

}  // namespace
}  // namespace skep::packet
