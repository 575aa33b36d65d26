// What the kernel is not asked for in helpers/packet_kernel_test.cc, and what holds without it.
#include "packet/sk_ops.h"

#include <gtest/gtest.h>

#include "base/errno.h"
#include "packet/csum.h"
#include "packet/frame.h"
#include "packet/test_run.h"
#include "packet/testing.h"

namespace skep::packet {
namespace {

using spec::ProgType;
using testing::Buffer;
using testing::hex;

struct SkOps : ::testing::Test {
  void place(const Buffer& packet, ProgType type = ProgType::SchedCls) {
    ASSERT_EQ(prepare(skb, frame, packet, type), 0);
  }
  Buffer bytes() const { return {skb.data, skb.data_end}; }
  Buffer bytes(std::size_t from, std::size_t size) const { return {skb.data + from, skb.data + from + size}; }
  Frame frame;
  SkBuff skb;
};

TEST_F(SkOps, FailedLoadsClearTheirMemory) {
  place(testing::ipv4_tcp());
  Buffer to(4, std::byte{7});
  EXPECT_EQ(load_bytes(skb, 51, to), -EFAULT);
  EXPECT_EQ(to, Buffer(4));
  to.assign(4, std::byte{7});
  EXPECT_EQ(load_bytes_relative(skb, 37, to, 1), -EFAULT);
  EXPECT_EQ(to, Buffer(4));
  EXPECT_EQ(load_bytes(skb, UINT32_MAX, to), -EFAULT);
  EXPECT_EQ(load_bytes_relative(skb, 36, to, 1), 0);
}

TEST_F(SkOps, RelativeLoadsSeeTheLinkHeaderInFrontOfData) {
  place(testing::ipv4_tcp(), ProgType::CgroupSkb);
  Buffer to(14);
  ASSERT_EQ(load_bytes_relative(skb, 0, to, 0), 0);
  EXPECT_EQ(to, hex("ffffffffffff 010203040506 0800"));
}

TEST_F(SkOps, GrowingWithoutEndMovesThePacketInItsFrame) {
  place(testing::ipv4_tcp());
  const Buffer packet = bytes();
  const std::byte* const head = skb.head;
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(change_head(skb, 16, 0), 0);
    ASSERT_EQ(change_tail(skb, 5000, 0), 0);
    ASSERT_EQ(bytes(16, 54), packet);
    std::memmove(skb.data, skb.data + 16, skb.len - 16);
    skb.network_offset = 14;
    ASSERT_GE(skb.data, skb.head);
    ASSERT_LE(skb.data_end, skb.end);
  }
  EXPECT_EQ(skb.head, head);
}

TEST_F(SkOps, LinkHeaderInFrontMovesAlong) {
  place(testing::ipv4_tcp(), ProgType::LwtXmit);
  ASSERT_TRUE(make_headroom(skb, 3000));
  Buffer to(14);
  ASSERT_EQ(load_bytes_relative(skb, 0, to, 0), 0);
  EXPECT_EQ(to, hex("ffffffffffff 010203040506 0800"));
  EXPECT_FALSE(make_headroom(skb, 1 << 20));
  EXPECT_FALSE(make_tailroom(skb, std::size_t{1} << 40));
}

TEST_F(SkOps, FullPacketsRunOutOfRoomOnlyThen) {
  place(Buffer(65536, std::byte{1}));
  int pushed = 0;
  while (vlan_push(skb, to_be(std::uint16_t{0x8100}), 1) == 0 && pushed < 100000) ++pushed;
  EXPECT_GT(pushed, 1000);
  EXPECT_LT(pushed, 2000);
  EXPECT_EQ(skb.len, 65536U + 4 * static_cast<unsigned>(pushed - 1));
}

TEST_F(SkOps, HeadersBeyondAShortPacket) {
  place(hex("ffffffffffff 010203040506 0800"));
  EXPECT_EQ(adjust_room(skb, 8, 0, 0), 0);
  EXPECT_EQ(skb.len, 22U);
  EXPECT_EQ(adjust_room(skb, -8, 0, 0), -kNotSupported);
  place(hex("ffffffffffff 010203040506 86dd"));
  EXPECT_EQ(change_proto(skb, to_be(std::uint16_t{0x0800}), 0), -ENOMEM);
  place(hex("ffffffffffff 010203040506 8100 00"));
  EXPECT_EQ(vlan_pop(skb), -ENOMEM);
}

TEST_F(SkOps, VlanTagGoesThroughTheMetadata) {
  place(testing::ipv4_tcp());
  ASSERT_EQ(vlan_push(skb, to_be(std::uint16_t{0x88a8}), 5), 0);
  EXPECT_EQ(bytes(), testing::ipv4_tcp());
  EXPECT_EQ(skb.vlan_present, 1U);
  EXPECT_EQ(skb.vlan_tci, 5U);
  ASSERT_EQ(vlan_push(skb, to_be(std::uint16_t{0x8100}), 6), 0);
  EXPECT_EQ(bytes(12, 6), hex("88a8 0005 0800"));
  EXPECT_EQ(skb.vlan_tci, 6U);
  ASSERT_EQ(vlan_pop(skb), 0);
  EXPECT_EQ(skb.vlan_tci, 5U);
  EXPECT_EQ(bytes(), testing::ipv4_tcp());
  ASSERT_EQ(vlan_pop(skb), 0);
  EXPECT_EQ(skb.vlan_present, 0U);
  EXPECT_EQ(vlan_pop(skb), 0);
}

TEST_F(SkOps, SegmentedTcpKeepsItsPayloadPerPacket) {
  place(testing::ipv4_tcp());
  skb.gso_size = 1000;
  skb.gso_segs = 3;
  skb.gso_type = 1;  // SKB_GSO_TCPV4
  ASSERT_EQ(adjust_room(skb, 8, 1, 0), 0);
  EXPECT_EQ(skb.gso_size, 992U);
  EXPECT_EQ(skb.gso_segs, 0U);
  ASSERT_EQ(adjust_room(skb, -8, 1, 0), 0);
  EXPECT_EQ(skb.gso_size, 1000U);
  ASSERT_EQ(adjust_room(skb, 8, 1, kRoomFixedGso), 0);
  EXPECT_EQ(skb.gso_size, 1000U);
}

TEST_F(SkOps, PartialChecksumsCoverThePseudoHeaderOnly) {
  place(testing::ipv4_tcp());
  skb.ip_summed = kChecksumPartial;
  const Buffer before = bytes();
  EXPECT_EQ(l4_csum_replace(skb, 50, 1, 2, 2), 0);
  EXPECT_EQ(bytes(), before);
  EXPECT_EQ(l4_csum_replace(skb, 50, 0, 2, 2 | kCsumPseudoHeader), 0);
  EXPECT_EQ(load<std::uint16_t>(skb.data + 50), 2);
}

std::uint32_t hash_of(const Buffer& packet) {
  Frame frame;
  SkBuff skb;
  EXPECT_EQ(prepare(skb, frame, packet, ProgType::SchedCls), 0);
  return hash_recalc(skb);
}

TEST_F(SkOps, HashIsOfTheFlow) {
  Buffer packet = testing::ipv4_tcp();
  const std::uint32_t hash = hash_of(packet);
  EXPECT_NE(hash, 0U);
  EXPECT_EQ(hash_of(testing::vlan_tcp()), hash);
  packet[38] = std::byte{9};  // a sequence number
  EXPECT_EQ(hash_of(packet), hash);
  std::swap_ranges(packet.begin() + 26, packet.begin() + 30, packet.begin() + 30);
  EXPECT_NE(hash_of(packet), hash);
  std::swap_ranges(packet.begin() + 34, packet.begin() + 36, packet.begin() + 36);
  EXPECT_EQ(hash_of(packet), hash);  // the way back
  packet[23] = std::byte{17};
  EXPECT_NE(hash_of(packet), hash);
  EXPECT_NE(hash_of(testing::ipv6_udp()), 0U);
  EXPECT_EQ(hash_of(hex("ffffffffffff 010203040506 0806 0001")), 0U);
}

TEST_F(SkOps, HashOfFragmentsIgnoresPorts) {
  Buffer packet = testing::ipv4_tcp();
  packet[20] = std::byte{0x20};  // more fragments
  const std::uint32_t hash = hash_of(packet);
  packet[35] = std::byte{0x99};
  EXPECT_EQ(hash_of(packet), hash);
}

TEST_F(SkOps, HashIsKeptUntilItIsCleared) {
  place(testing::ipv4_tcp());
  set_hash(skb, 7);
  EXPECT_EQ(hash_recalc(skb), 7U);
  clear_hash(skb);
  EXPECT_EQ(skb.hash, 0U);
  EXPECT_EQ(hash_recalc(skb), hash_of(testing::ipv4_tcp()));
}

TEST_F(SkOps, CutsAndStoresOfTruncatedPacketsNeverCrash) {
  for (const Buffer& whole : {testing::ipv4_tcp(), testing::ipv6_udp(), testing::vlan_tcp()}) {
    for (std::size_t size = 14; size <= whole.size(); ++size) {
      place(Buffer(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
      hash_recalc(skb);
      vlan_pop(skb);
      adjust_room(skb, 40, 0, kRoomEncapIpv6);
      change_proto(skb, to_be(std::uint16_t{0x0800}), 0);
      adjust_room(skb, -40, 0, 0);
      ASSERT_EQ(skb.data_end - skb.data, skb.len);
      ASSERT_GE(skb.data, skb.head);
      ASSERT_LE(skb.data_end, skb.end);
    }
  }
}

TEST_F(SkOps, CongestionMarksKeepTheIpv4HeadersSum) {
  for (const int tos : {1, 2}) {
    Buffer packet = testing::ipv4_tcp();
    packet[15] = static_cast<std::byte>(tos);
    place(packet);
    const std::uint16_t before = csum_fold(csum_partial({skb.data + 14, 20}, 0));
    ASSERT_EQ(ecn_set_ce(skb), 1);
    EXPECT_EQ(std::to_integer<int>(skb.data[15]), 3);
    EXPECT_EQ(csum_fold(csum_partial({skb.data + 14, 20}, 0)), before);
  }
}

TEST_F(SkOps, CongestionNeedsAWholeHeader) {
  Buffer packet = testing::ipv4_tcp();
  packet[15] = std::byte{2};
  place(packet);
  for (const std::int32_t offset : {-65, 35, 54, 100, INT32_MAX - 20, INT32_MIN}) {
    skb.network_offset = offset;
    EXPECT_EQ(ecn_set_ce(skb), 0) << offset;
  }
  EXPECT_EQ(bytes(), packet);
}

}  // namespace
}  // namespace skep::packet
