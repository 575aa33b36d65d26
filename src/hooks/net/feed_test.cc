#include "hooks/net/feed.h"

#include <gtest/gtest.h>

#include <vector>

#include "hooks/net/ethernet.h"

namespace skep::hooks::net {
namespace {

// A capture of `count` packets, packet i with i bytes; an error in place of the packet after the last, if wanted.
class Numbers final : public CaptureReader {
 public:
  Numbers(std::size_t count, LinkType link, bool damaged) : count_(count), damaged_(damaged) { link_ = link; }
  Result<bool> next(Packet& packet) override {
    if (at_ == count_) return damaged_ ? Result<bool>(fail(EBADMSG, "damaged")) : false;
    ++at_;
    bytes_.assign(at_, std::byte{0x45});
    packet = {.data = bytes_, .wire_bytes = static_cast<std::uint32_t>(at_), .time_ns = at_};
    return true;
  }
  Result<> rewind() override {
    at_ = 0;
    return {};
  }
  std::uint64_t position() const override { return at_; }
  std::uint64_t bytes() const override { return count_; }

 private:
  std::size_t count_, at_ = 0;
  bool damaged_;
  std::vector<std::byte> bytes_;
};

struct Seen final : Consumer {
  explicit Seen(std::size_t most) : stop_after(most) {}
  std::size_t stop_after;
  std::vector<std::size_t> sizes, batches;
  std::vector<std::uint64_t> firsts, rounds;
  bool take(const Batch& batch) override {
    for (const Packet& packet : batch.packets) {
      sizes.push_back(packet.data.size());
      EXPECT_EQ(packet.wire_bytes, packet.data.size());
    }
    batches.push_back(batch.packets.size());
    firsts.push_back(batch.first);
    rounds.push_back(batch.round);
    return sizes.size() < stop_after;
  }
};

TEST(Feed, BatchesInOrder) {
  Numbers reader(10, LinkType::Ethernet, false);
  Seen seen(100);
  ASSERT_TRUE(feed(reader, {.limit = 0, .repeat = 2, .batch = 4}, seen));
  EXPECT_EQ(seen.batches, (std::vector<std::size_t>{4, 4, 2, 4, 4, 2}));
  EXPECT_EQ(seen.firsts, (std::vector<std::uint64_t>{1, 5, 9, 1, 5, 9}));
  EXPECT_EQ(seen.rounds, (std::vector<std::uint64_t>{0, 0, 0, 1, 1, 1}));
  for (std::size_t i = 0; i < 20; ++i) EXPECT_EQ(seen.sizes[i], i % 10 + 1);
}

TEST(Feed, LimitIsOfTheCapture) {
  Numbers reader(10, LinkType::Ethernet, false);
  Seen seen(100);
  ASSERT_TRUE(feed(reader, {.limit = 5, .repeat = 3, .batch = 4}, seen));
  EXPECT_EQ(seen.sizes.size(), 15U);
}

TEST(Feed, WhatCameBeforeAnErrorIsTaken) {
  Numbers reader(6, LinkType::Ethernet, true);
  Seen seen(100);
  const Result<> fed = feed(reader, {.limit = 0, .repeat = 1, .batch = 4}, seen);
  ASSERT_FALSE(fed);
  EXPECT_EQ(fed.error().message, "damaged");
  EXPECT_EQ(seen.sizes.size(), 6U);
}

TEST(Feed, TheConsumerEndsIt) {
  Numbers reader(100, LinkType::Ethernet, true);
  Seen seen(8);
  EXPECT_TRUE(feed(reader, {.limit = 0, .repeat = 9, .batch = 4}, seen));
  EXPECT_EQ(seen.sizes.size(), 8U);
}

TEST(Feed, RawIpGetsAHeader) {
  Numbers reader(2, LinkType::RawIp, false);
  Seen seen(100);
  ASSERT_TRUE(feed(reader, {.limit = 0, .repeat = 1, .batch = 4}, seen));
  EXPECT_EQ(seen.sizes, (std::vector<std::size_t>{1 + kEthernetBytes, 2 + kEthernetBytes}));
  const std::array<std::byte, 1> v4{std::byte{0x45}}, v6{std::byte{0x60}}, other{std::byte{0x10}};
  EXPECT_EQ(load<std::uint16_t>(ethernet_for(v4).data() + 12), to_be(kTypeIpv4));
  EXPECT_EQ(load<std::uint16_t>(ethernet_for(v6).data() + 12), to_be(kTypeIpv6));
  EXPECT_EQ(load<std::uint16_t>(ethernet_for(other).data() + 12), 0);
  EXPECT_EQ(load<std::uint16_t>(ethernet_for({}).data() + 12), 0);
}

}  // namespace
}  // namespace skep::hooks::net
