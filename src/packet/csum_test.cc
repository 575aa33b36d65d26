#include "packet/csum.h"

#include <gtest/gtest.h>

#include <random>

#include "packet/testing.h"

namespace skep::packet {
namespace {

using testing::Buffer;
using testing::hex;

// RFC 1071's definition: 16-bit words in network order, added with end-around carry.
std::uint16_t by_definition(Bytes bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    sum += std::to_integer<std::uint32_t>(bytes[i]) << 8;
    if (i + 1 < bytes.size()) sum += std::to_integer<std::uint32_t>(bytes[i + 1]);
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return static_cast<std::uint16_t>(~sum);
}

TEST(Csum, FoldsToTheDefinition) {
  std::mt19937 random(1);
  for (std::size_t size = 0; size < 200; ++size) {
    Buffer bytes(size);
    for (std::byte& b : bytes) b = static_cast<std::byte>(random());
    EXPECT_EQ(from_be(csum_fold(csum_partial(bytes, 0))), by_definition(bytes)) << size;
  }
}

TEST(Csum, IsZeroOnlyForZeros) {
  EXPECT_EQ(csum_partial(hex("0000 0000 0000"), 0), 0U);
  EXPECT_EQ(csum_reduce(csum_partial(hex("ffff ffff"), 0)), 0xffff);
  EXPECT_EQ(csum_reduce(csum_add(0x1234, csum_sub(0, 0x1234))), 0xffff);
}

TEST(Csum, SumMayBeTakenInPieces) {
  const Buffer packet = testing::ipv4_tcp();
  const std::uint32_t whole = csum_partial(packet, 0);
  for (std::size_t cut = 0; cut <= packet.size(); ++cut) {
    const std::uint32_t first = csum_partial(Bytes(packet).first(cut), 0);
    const std::uint32_t second = csum_partial(Bytes(packet).subspan(cut), 0);
    EXPECT_EQ(csum_fold(csum_add(first, csum_at(second, cut))), csum_fold(whole)) << cut;
  }
}

TEST(Csum, ChangedFieldKeepsAHeaderRight) {
  Buffer header = hex("45000028 00010000 40060000 c0a80001 c0a80002");
  store(header.data() + 10, csum_fold(csum_partial(header, 0)));
  EXPECT_EQ(csum_fold(csum_partial(header, 0)), 0);
  const auto check = load<std::uint16_t>(header.data() + 10);
  const auto old_address = load<std::uint32_t>(header.data() + 12);
  const std::uint32_t new_address = to_be(0x0a000001U);
  store(header.data() + 12, new_address);
  store(header.data() + 10, csum_changed(check, old_address, new_address));
  EXPECT_EQ(csum_fold(csum_partial(header, 0)), 0);
  const auto ttl = load<std::uint16_t>(header.data() + 8);
  const std::uint16_t new_ttl = to_be(std::uint16_t{0x3f06});
  store(header.data() + 8, new_ttl);
  store(header.data() + 10, csum_changed16(load<std::uint16_t>(header.data() + 10), ttl, new_ttl));
  EXPECT_EQ(csum_fold(csum_partial(header, 0)), 0);
  store(header.data() + 4, std::uint16_t{0x7700});
  const std::uint32_t difference = csum_sub(0x7700, to_be(std::uint16_t{1}));
  store(header.data() + 10, csum_changed_by(load<std::uint16_t>(header.data() + 10), difference));
  EXPECT_EQ(csum_fold(csum_partial(header, 0)), 0);
}

TEST(Csum, Difference) {
  const Buffer from = hex("12345678"), to = hex("9abcdef0 00010002");
  EXPECT_EQ(csum_diff({}, {}, 5), 5);
  EXPECT_EQ(csum_diff({}, to, 0), csum_reduce(csum_partial(to, 0)));
  EXPECT_EQ(csum_diff(from, to, 7), csum_reduce(csum_sub(csum_partial(to, 7), csum_partial(from, 0))));
  EXPECT_EQ(csum_diff(from, from, 0), 0xffff);
}

}  // namespace
}  // namespace skep::packet
