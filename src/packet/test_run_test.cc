// Expected values were read off Linux 6.18's PROG_TEST_RUN.
#include "packet/test_run.h"

#include <gtest/gtest.h>

#include "packet/testing.h"

namespace skep::packet {
namespace {

using spec::ProgType;
using testing::Buffer;

TEST(TestRun, SchedClsStartsAtLinkLayer) {
  Frame frame;
  SkBuff skb;
  ASSERT_EQ(begin(skb, frame, testing::ipv4_tcp(), nullptr, ProgType::SchedCls), 0);
  EXPECT_EQ(skb.len, 54U);
  EXPECT_EQ(skb.network_offset, 14);
  EXPECT_EQ(skb.mac_offset, 0);
  EXPECT_EQ(skb.protocol, to_be(std::uint16_t{0x0800}));
  EXPECT_EQ(skb.pkt_type, 2U);  // loopback's broadcast address is zeros, so this is a multicast
  EXPECT_EQ(skb.ifindex, 1U);
  EXPECT_EQ(skb.ingress_ifindex, 0U);
  EXPECT_EQ(skb.wire_len, 0U);
  Bytes out;
  ASSERT_EQ(finish(skb, nullptr, ProgType::SchedCls, 0, out), 0);
  EXPECT_EQ(Buffer(out.begin(), out.end()), testing::ipv4_tcp());
}

TEST(TestRun, OthersStartAtNetworkLayerAndLoseTheLinkHeader) {
  for (const ProgType type : {ProgType::SocketFilter, ProgType::CgroupSkb, ProgType::LwtIn, ProgType::LwtXmit}) {
    Frame frame;
    SkBuff skb;
    ASSERT_EQ(begin(skb, frame, testing::ipv4_tcp(), nullptr, type), 0);
    EXPECT_EQ(skb.len, 40U);
    EXPECT_EQ(skb.network_offset, 0);
    EXPECT_EQ(skb.mac_offset, -14);
    Bytes out;
    ASSERT_EQ(finish(skb, nullptr, type, 0, out), 0);
    Buffer expected = testing::ipv4_tcp();
    std::fill_n(expected.begin(), 14, std::byte{0});
    EXPECT_EQ(Buffer(out.begin(), out.end()), expected);
  }
}

struct TypeRow {
  const char* packet;
  std::uint16_t protocol;  // as stored
  std::uint32_t type;
};
class PacketType : public ::testing::TestWithParam<TypeRow> {};
TEST_P(PacketType, FromTheLinkLayerHeader) {
  Frame frame;
  SkBuff skb;
  ASSERT_EQ(begin(skb, frame, testing::hex(GetParam().packet), nullptr, ProgType::SchedCls), 0);
  EXPECT_EQ(skb.protocol, GetParam().protocol);
  EXPECT_EQ(skb.pkt_type, GetParam().type);
}
INSTANTIATE_TEST_SUITE_P(Rows, PacketType,
                         ::testing::Values(TypeRow{"ffffffffffff 010203040506 05dc ffff", 256, 2},
                                           TypeRow{"ffffffffffff 010203040506 05ff aaaa", 1024, 2},
                                           TypeRow{"000000000000 010203040506 0600 0000", 6, 0},
                                           TypeRow{"010203040506 010203040506 0600 0000", 6, 2},
                                           TypeRow{"020304050607 ff0203040506 0600", 6, 3},
                                           TypeRow{"ffffffffffff 010203040506 05dc", 1024, 2},
                                           TypeRow{"ffffffffffff 010203040506 05dc ff", 1024, 2}));

TEST(TestRun, SizeLimits) {
  Frame frame;
  SkBuff skb;
  XdpBuff xdp;
  EXPECT_EQ(begin(skb, frame, Buffer(13), nullptr, ProgType::SchedCls), -EINVAL);
  EXPECT_EQ(begin(skb, frame, Buffer(14), nullptr, ProgType::SocketFilter), 0);
  EXPECT_EQ(skb.len, 0U);
  const Buffer ipv4 = testing::ipv4_tcp(), ipv6 = testing::ipv6_udp();
  EXPECT_EQ(begin(skb, frame, Bytes(ipv4).first(33), nullptr, ProgType::SchedCls), -EINVAL);
  EXPECT_EQ(begin(skb, frame, Bytes(ipv4).first(34), nullptr, ProgType::SchedCls), 0);
  EXPECT_EQ(begin(skb, frame, Bytes(ipv6).first(53), nullptr, ProgType::SocketFilter), -EINVAL);
  EXPECT_EQ(begin(skb, frame, Bytes(ipv6).first(54), nullptr, ProgType::SocketFilter), 0);
  EXPECT_EQ(begin(skb, frame, Buffer(3712), nullptr, ProgType::SchedCls), 0);
  EXPECT_EQ(begin(skb, frame, Buffer(3713), nullptr, ProgType::SchedCls), -EINVAL);
  EXPECT_EQ(prepare(skb, frame, Buffer(65536), ProgType::SchedCls), 0);
  EXPECT_EQ(prepare(skb, frame, Buffer(), ProgType::SchedCls), -EINVAL);
  EXPECT_EQ(begin(xdp, frame, Buffer(13), nullptr), -EINVAL);
  EXPECT_EQ(begin(xdp, frame, Buffer(14), nullptr), 0);
  EXPECT_EQ(begin(xdp, frame, Buffer(65536), nullptr), 0);
}

struct SkbRow {
  void (*set)(spec::SkBuffMd&);
  int result;
};
class SkbContext : public ::testing::TestWithParam<SkbRow> {};
TEST_P(SkbContext, IsChecked) {
  Frame frame;
  SkBuff skb;
  spec::SkBuffMd context{};
  GetParam().set(context);
  EXPECT_EQ(begin(skb, frame, testing::ipv4_tcp(), &context, ProgType::SchedCls), GetParam().result);
}
INSTANTIATE_TEST_SUITE_P(
    Rows, SkbContext,
    ::testing::Values(
        SkbRow{[](auto&) {}, 0}, SkbRow{[](auto& c) { c.mark = 1; }, 0}, SkbRow{[](auto& c) { c.cb[4] = 1; }, 0},
        SkbRow{[](auto& c) { c.tstamp = 1; }, 0}, SkbRow{[](auto& c) { c.hwtstamp = 1; }, 0},
        SkbRow{[](auto& c) { c.len = 54; }, -EINVAL}, SkbRow{[](auto& c) { c.tc_index = 1; }, -EINVAL},
        SkbRow{[](auto& c) { c.hash = 1; }, -EINVAL}, SkbRow{[](auto& c) { c.tc_classid = 1; }, -EINVAL},
        SkbRow{[](auto& c) { c.data = 1; }, -EINVAL}, SkbRow{[](auto& c) { c.data_end = 54; }, -EINVAL},
        SkbRow{[](auto& c) { c.sk = 3; }, -EINVAL}, SkbRow{[](auto& c) { c.tstamp_type = 1; }, -EINVAL},
        SkbRow{[](auto& c) { c.vlan_tci = 1; }, -EINVAL}, SkbRow{[](auto& c) { c.wire_len = 53; }, -EINVAL},
        SkbRow{[](auto& c) { c.wire_len = 54; }, 0}, SkbRow{[](auto& c) { c.wire_len = 65536; }, 0},
        SkbRow{[](auto& c) { c.wire_len = 65537; }, -EINVAL}, SkbRow{[](auto& c) { c.gso_segs = 65535; }, 0},
        SkbRow{[](auto& c) { c.gso_segs = 65536; }, -EINVAL}, SkbRow{[](auto& c) { c.gso_size = 70000; }, 0},
        SkbRow{[](auto& c) { c.ifindex = 0x7ffffff0; }, -ENODEV}, SkbRow{[](auto& c) { c.ingress_ifindex = 99; }, 0}));

TEST(TestRun, SkbContextComesBack) {
  Frame frame;
  SkBuff skb;
  spec::SkBuffMd context{};
  context.mark = 7;
  context.cb[2] = 9;
  context.gso_size = 70000;
  ASSERT_EQ(begin(skb, frame, testing::ipv4_tcp(), &context, ProgType::CgroupSkb), 0);
  EXPECT_EQ(skb.mark, 7U);
  EXPECT_EQ(skb.cb[2], 9U);
  EXPECT_EQ(skb.gso_size, 4464U);  // 16 bits
  skb.mark = 8;
  skb.priority = 3;
  skb.tstamp = 5;
  Bytes out;
  ASSERT_EQ(finish(skb, &context, ProgType::CgroupSkb, 0, out), 0);
  EXPECT_EQ(context.mark, 8U);
  EXPECT_EQ(context.priority, 3U);
  EXPECT_EQ(context.tstamp, 5U);
  EXPECT_EQ(context.cb[2], 9U);
  EXPECT_EQ(context.ifindex, 1U);
  EXPECT_EQ(context.wire_len, 40U);
  EXPECT_EQ(context.gso_size, 70000U);
  EXPECT_EQ(context.len, 0U);
}

TEST(TestRun, CompleteChecksumMustStayRight) {
  Frame frame;
  SkBuff skb;
  Bytes out;
  ASSERT_EQ(begin(skb, frame, testing::ipv4_tcp(), nullptr, ProgType::SchedCls, kSkbChecksumComplete), 0);
  EXPECT_EQ(finish(skb, nullptr, ProgType::SchedCls, kSkbChecksumComplete, out), 0);
  skb.data[20] ^= std::byte{1};
  EXPECT_EQ(finish(skb, nullptr, ProgType::SchedCls, kSkbChecksumComplete, out), -EBADMSG);
}

struct XdpRow {
  spec::XdpMd context;
  std::size_t size;
  int result;
};
class XdpContext : public ::testing::TestWithParam<XdpRow> {};
TEST_P(XdpContext, IsChecked) {
  Frame frame;
  XdpBuff xdp;
  EXPECT_EQ(begin(xdp, frame, Buffer(GetParam().size), &GetParam().context), GetParam().result);
}
INSTANTIATE_TEST_SUITE_P(
    Rows, XdpContext,
    ::testing::Values(XdpRow{{0, 54, 0, 0, 0, 0}, 54, 0}, XdpRow{{0, 0, 0, 0, 0, 0}, 54, -EINVAL},
                      XdpRow{{4, 54, 0, 0, 0, 0}, 54, 0}, XdpRow{{5, 54, 0, 0, 0, 0}, 54, -EINVAL},
                      XdpRow{{40, 54, 0, 0, 0, 0}, 54, 0}, XdpRow{{44, 54, 0, 0, 0, 0}, 54, -EINVAL},
                      XdpRow{{216, 1000, 0, 0, 0, 0}, 1000, 0}, XdpRow{{220, 1000, 0, 0, 0, 0}, 1000, -EINVAL},
                      XdpRow{{0, 54, 1, 0, 0, 0}, 54, -EINVAL}, XdpRow{{0, 54, 0, 1, 0, 0}, 54, 0},
                      XdpRow{{0, 54, 0, 1, 1, 0}, 54, -EINVAL}, XdpRow{{0, 54, 0, 0, 1, 0}, 54, -EINVAL},
                      XdpRow{{0, 54, 0, 0x7ffffff0, 0, 0}, 54, -ENODEV}, XdpRow{{0, 54, 0, 0, 0, 1}, 54, -EINVAL}));

TEST(TestRun, XdpContextComesBack) {
  Frame frame;
  XdpBuff xdp;
  spec::XdpMd context{8, 54, 0, 1, 0, 0};
  ASSERT_EQ(begin(xdp, frame, testing::ipv4_tcp(), &context), 0);
  EXPECT_EQ(xdp.data - xdp.data_meta, 8);
  EXPECT_EQ(xdp.ingress_ifindex, 1U);
  xdp.data_meta += 4;
  xdp.data_end -= 2;
  const Bytes out = finish(xdp, &context);
  EXPECT_EQ(out.size(), 48U);
  EXPECT_EQ(context.data, 4U);
  EXPECT_EQ(context.data_end, 48U);
}

}  // namespace
}  // namespace skep::packet
