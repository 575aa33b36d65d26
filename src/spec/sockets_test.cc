#include "spec/sockets.h"

#include <gtest/gtest.h>

namespace skep::spec {
namespace {

TEST(Sockets, AllWordsOfAFullSocket) {
  for (std::uint32_t offset = 0; offset < 80; offset += 4) EXPECT_TRUE(can_read(SocketKind::Full, offset, 4)) << offset;
  EXPECT_FALSE(can_read(SocketKind::Full, 80, 4));
  EXPECT_FALSE(can_read(SocketKind::Full, -4, 4));
}

TEST(Sockets, TheCommonPartLacksWhatOnlyFullOnesHave) {
  for (std::uint32_t offset = 0; offset < 80; offset += 4)
    EXPECT_EQ(can_read(SocketKind::Common, offset, 4), offset < 8 || offset >= 24) << offset;
}

TEST(Sockets, NarrowReadsWhereTheFieldTakesThem) {
  EXPECT_TRUE(can_read(SocketKind::Full, 4, 1));  // family
  EXPECT_FALSE(can_read(SocketKind::Full, 5, 1));
  EXPECT_FALSE(can_read(SocketKind::Full, 16, 2));  // mark
  EXPECT_TRUE(can_read(SocketKind::Full, 25, 1));   // src_ip4
  EXPECT_FALSE(can_read(SocketKind::Full, 25, 2));
  EXPECT_FALSE(can_read(SocketKind::Full, 56, 8));  // dst_ip6
  EXPECT_TRUE(can_read(SocketKind::Full, 48, 2));   // dst_port
  EXPECT_FALSE(can_read(SocketKind::Full, 50, 2));
}

TEST(Sockets, TcpCountersOfEightBytes) {
  EXPECT_TRUE(can_read(SocketKind::Tcp, 80, 8));
  EXPECT_FALSE(can_read(SocketKind::Tcp, 80, 4));
  EXPECT_TRUE(can_read(SocketKind::Tcp, 84, 4));
  EXPECT_FALSE(can_read(SocketKind::Tcp, 72, 8));
  EXPECT_TRUE(can_read(SocketKind::Tcp, 108, 4));
  EXPECT_FALSE(can_read(SocketKind::Tcp, 112, 4));
}

TEST(Sockets, XdpSocketsHaveAQueue) {
  EXPECT_TRUE(can_read(SocketKind::Xdp, 0, 4));
  EXPECT_FALSE(can_read(SocketKind::Xdp, 0, 2));
  EXPECT_FALSE(can_read(SocketKind::Xdp, 4, 4));
}

}  // namespace
}  // namespace skep::spec
