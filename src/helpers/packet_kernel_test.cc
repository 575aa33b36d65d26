// Helpers on packets against the running kernel: the same calls on the same packet, everything compared. Tables for
// what the rules name, then sequences of calls drawn at random from values near the limits.
#include <random>

#include "helpers/testing_run.h"

namespace skep::helpers::testing {
namespace {

using packet::testing::hex;
using packet::testing::ipv4_tcp;
using packet::testing::ipv6_udp;
using packet::testing::vlan_tcp;
using spec::ProgType;

void compare(const Steps& steps, const Input& input) {
  const Outcome here = run_here(steps, input);
  const Outcome there = run_in_kernel(steps, input);
  EXPECT_EQ(here, there) << text(steps) << "-- here\n" << text(here) << "-- kernel\n" << text(there);
}

class PacketKernel : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!no_kernel().empty()) GTEST_SKIP() << no_kernel();
  }
};

using enum HelperId;

Step adjust_room(std::int64_t difference, std::int64_t mode, std::uint64_t flags) {
  return {skb_adjust_room, {ctx(), num(difference), num(mode), num(static_cast<std::int64_t>(flags))}};
}
Step push(std::uint16_t protocol, std::uint16_t tci) {
  return {skb_vlan_push, {ctx(), num(to_be(protocol)), num(tci)}};
}
Step pop() { return {skb_vlan_pop, {ctx()}}; }
Step load(std::int64_t offset, std::uint64_t size) {
  return {skb_load_bytes, {ctx(), num(offset), out(size), num(static_cast<std::int64_t>(size))}};
}
Step relative(std::int64_t offset, std::uint64_t size, std::int64_t start) {
  return {skb_load_bytes_relative, {ctx(), num(offset), out(size), num(static_cast<std::int64_t>(size)), num(start)}};
}
Step save(std::int64_t offset, Buffer bytes, std::int64_t flags) {
  const auto size = static_cast<std::int64_t>(bytes.size());
  return {skb_store_bytes, {ctx(), num(offset), in(std::move(bytes)), num(size), num(flags)}};
}
Step head(std::int64_t room) { return {skb_change_head, {ctx(), num(room), num(0)}}; }
Step tail(std::int64_t size) { return {skb_change_tail, {ctx(), num(size), num(0)}}; }

// ---- what a program finds
TEST_F(PacketKernel, Beginnings) {
  for (const ProgType type : {ProgType::SchedCls, ProgType::SocketFilter, ProgType::CgroupSkb, ProgType::LwtIn})
    for (const char* packet :
         {"ffffffffffff 010203040506 05dc ffff 0000", "ffffffffffff 010203040506 05ff aaaa",
          "000000000000 010203040506 0600", "010203040506 010203040506 0600 0000", "020304050607 ff0203040506 0600",
          "ffffffffffff 010203040506 05dc ff", "ffffffffffff 010203040506 0800", "ffffffffffff 010203040506 86dd 00",
          "ffffffffffff 010203040506 06"})
      compare({}, {.type = type, .packet = hex(packet)});
}

TEST_F(PacketKernel, SkbContexts) {
  for (std::size_t at = 0; at < sizeof(spec::SkBuffMd); at += 4)
    for (const std::uint32_t value : {1U, 2U, 53U, 54U, 65535U, 65536U, 65537U, 0x7fffffffU})
      for (const ProgType type : {ProgType::SchedCls, ProgType::CgroupSkb}) {
        spec::SkBuffMd context{};
        std::memcpy(reinterpret_cast<std::byte*>(&context) + at, &value, sizeof value);
        compare({}, {.type = type, .packet = ipv4_tcp(), .skb = context});
        if (HasFailure()) return;
      }
}

TEST_F(PacketKernel, XdpContexts) {
  for (const std::uint32_t data : {0U, 4U, 6U, 8U, 40U, 44U, 54U, 60U})
    for (std::size_t at = 8; at < sizeof(spec::XdpMd); at += 4)
      for (const std::uint32_t value : {0U, 1U, 0x7fffffffU}) {
        spec::XdpMd context{data, 54, 0, 0, 0, 0};
        std::memcpy(reinterpret_cast<std::byte*>(&context) + at, &value, sizeof value);
        compare({}, {.type = ProgType::Xdp, .packet = ipv4_tcp(), .xdp = context});
      }
}

TEST_F(PacketKernel, Bytes) {
  for (const ProgType type : {ProgType::SchedCls, ProgType::SocketFilter, ProgType::CgroupSkb, ProgType::LwtXmit}) {
    compare({load(0, 4), load(30, 10), load(40, 1), load(54, 1), load(50, 5), load(-1, 1)},
            {.type = type, .packet = ipv4_tcp()});
    if (type == ProgType::LwtXmit) continue;
    compare({relative(0, 14, 0), relative(0, 20, 1), relative(40, 1, 1), relative(39, 1, 1), relative(53, 1, 0),
             relative(0, 1, 2), relative(65536, 1, 0)},
            {.type = type, .packet = ipv4_tcp()});
  }
  compare({save(0, hex("0102"), 0), save(52, hex("0102"), 0), save(53, hex("0102"), 0), save(6, hex("0102"), 3),
           save(6, hex("01"), 4), save(-1, hex("01"), 0)},
          {.packet = ipv4_tcp()});
  compare({{skb_pull_data, {ctx(), num(0)}}, {skb_pull_data, {ctx(), num(54)}}, {skb_pull_data, {ctx(), num(55)}}},
          {.packet = ipv4_tcp()});
}

TEST_F(PacketKernel, Sizes) {
  for (const std::int64_t size : {0, 13, 14, 15, 54, 60, 100, 3000, 16064, 16065, 65535, -1})
    compare({tail(size), tail(54)}, {.packet = ipv4_tcp()});
  for (const std::int64_t room : {0, 1, 14, 64, 65, 1000, 16010, 16011, 70000, -1})
    for (const ProgType type : {ProgType::SchedCls, ProgType::LwtXmit})
      compare({head(room), load(0, 64)}, {.type = type, .packet = ipv4_tcp()});
  compare({{skb_change_tail, {ctx(), num(60), num(1)}}, {skb_change_head, {ctx(), num(60), num(1)}}},
          {.packet = ipv4_tcp()});
  compare({head(14), tail(20), tail(27), tail(28)}, {.packet = ipv4_tcp()});
  compare({head(14), tail(100), head(2)}, {.type = ProgType::LwtXmit, .packet = ipv4_tcp()});
}

TEST_F(PacketKernel, ProtocolAndType) {
  const auto proto = [](std::uint16_t to, int flags) -> Step {
    return {skb_change_proto, {ctx(), num(to_be(to)), num(flags)}};
  };
  for (const Buffer& packet : {ipv4_tcp(), ipv6_udp(), vlan_tcp(), hex("ffffffffffff 010203040506 86dd 60000000")}) {
    compare({proto(0x86dd, 0), proto(0x0800, 0), proto(0x0800, 0), proto(0x86dd, 1), proto(0x0806, 0)},
            {.packet = packet});
    compare({{set_hash, {ctx(), num(7)}}, proto(0x86dd, 0)}, {.packet = packet});
  }
  for (const int type : {0, 1, 3, 4, 5, 8}) compare({{skb_change_type, {ctx(), num(type)}}}, {.packet = ipv4_tcp()});
}

TEST_F(PacketKernel, Room) {
  for (const Buffer& packet : {ipv4_tcp(), ipv6_udp(), vlan_tcp()})
    for (const int mode : {0, 1, 2})
      for (const std::int64_t difference : {0, 1, 8, 20, -1, -8, -20, -26, -40, 4095, 4096, -4096})
        for (const std::uint64_t flags : {0U, 1U, 32U, 64U, 128U, 256U, 384U, 512U})
          compare({adjust_room(difference, mode, flags), load(0, 60)}, {.packet = packet});
}

TEST_F(PacketKernel, Encapsulation) {
  for (const Buffer& packet : {ipv4_tcp(), ipv6_udp()})
    for (const std::uint64_t l3 : {2U, 4U, 6U})
      for (const std::uint64_t l4 : {0U, 8U, 16U, 24U})
        for (const std::uint64_t l2 : {0ULL, 14ULL << 56U, 64U | 14ULL << 56U, 64U | 13ULL << 56U, 50ULL << 56U})
          compare({adjust_room(40, 1, l3 | l4 | l2), adjust_room(40, 1, l3), tail(60), adjust_room(-20, 1, 128),
                   tail(13), tail(33), tail(34), tail(40)},
                  {.packet = packet});
}

TEST_F(PacketKernel, Vlan) {
  for (const Buffer& packet : {ipv4_tcp(), vlan_tcp(), ipv6_udp(), hex("ffffffffffff 010203040506 8100 0005")}) {
    compare({push(0x8100, 5), push(0x88a8, 7), push(0x1234, 9), load(0, 30), pop(), pop(), pop(), pop()},
            {.packet = packet});
    compare({pop(), load(0, 30), pop(), push(0x8100, 0), push(0x8100, 4095), adjust_room(8, 1, 0)}, {.packet = packet});
    compare({push(0x8100, 1), push(0x8100, 2), relative(0, 4, 1), relative(0, 4, 0), tail(14), tail(18)},
            {.packet = packet});
  }
  compare({pop(), pop(), load(0, 16)},
          {.packet = hex(
               "ffffffffffff 010203040506 8100 0005 88a8 0006 05dc ffff 0000 00000000 00000000 00000000 00000000")});
}

TEST_F(PacketKernel, Checksums) {
  for (const std::uint32_t run_flags : {0U, packet::kSkbChecksumComplete})
    for (const HelperId id : {l3_csum_replace, l4_csum_replace})
      for (const int offset : {24, 25, 50, 52, 53, 54, 65536, -2})
        for (const int from : {0, 0x1234, 0xffff})
          for (const std::uint32_t to : {0U, 0xabcdU, 0xfedcba98U, 0xffffffffU})
            for (const int flags : {0, 2, 4, 1, 8, 0x10, 0x12, 0x14, 0x24, 0x64, 0x90, 0x100})
              if (offset == 24 || offset == 50 || (from == 0 && to == 0))
                compare({{id, {ctx(), num(offset), num(from), num(to), num(flags)}}},
                        {.packet = ipv4_tcp(), .flags = run_flags});
}

TEST_F(PacketKernel, ChecksumState) {
  const auto level = [](int what) -> Step { return {csum_level, {ctx(), num(what)}}; };
  compare({level(0), level(1), level(0), level(1), level(1), level(1), level(1), level(0), level(2), level(0), level(3),
           level(0), level(4), level(1), level(2), level(0), level(2)},
          {.packet = ipv4_tcp()});
  compare({level(1), adjust_room(8, 1, 32), level(0), adjust_room(8, 1, 0), level(0)}, {.packet = ipv4_tcp()});
  for (const std::uint32_t flags : {0U, packet::kSkbChecksumComplete}) {
    compare({{csum_update, {ctx(), num(5)}}, {csum_update, {ctx(), num(-6)}}}, {.packet = ipv4_tcp(), .flags = flags});
    compare({save(20, hex("010203"), 1), save(21, hex("0405"), 1), save(33, hex("0605"), 1)},
            {.packet = ipv4_tcp(), .flags = flags});
    compare({save(20, hex("010203"), 0)}, {.packet = ipv4_tcp(), .flags = flags});
    compare({tail(40)}, {.packet = ipv4_tcp(), .flags = flags});
    compare({tail(41)}, {.packet = ipv4_tcp(), .flags = flags});
    compare({tail(90)}, {.packet = ipv4_tcp(), .flags = flags});
    compare({adjust_room(8, 1, 0)}, {.packet = ipv4_tcp(), .flags = flags});
    compare({adjust_room(-8, 1, 0)}, {.packet = ipv4_tcp(), .flags = flags});
    compare({push(0x8100, 5), push(0x8100, 6)}, {.packet = ipv4_tcp(), .flags = flags});
    compare({pop()}, {.packet = vlan_tcp(), .flags = flags});
  }
}

TEST_F(PacketKernel, ChecksumDifference) {
  const auto diff = [](Buffer from, Buffer to, std::uint32_t seed) -> Step {
    const auto a = static_cast<std::int64_t>(from.size()), b = static_cast<std::int64_t>(to.size());
    return {csum_diff, {from.empty() ? num(0) : in(from), num(a), to.empty() ? num(0) : in(to), num(b), num(seed)}};
  };
  const Buffer zero = hex("00000000"), ones = hex("ffffffff"), some = hex("12345678 9abcdef0"),
               more = hex("00010002 00030004 80008000");
  for (const std::uint32_t seed : {0U, 1U, 0xffffU, 0xffffffffU, 0x12345678U}) {
    Steps steps;
    for (const Buffer& from : {Buffer(), zero, ones, some, more})
      for (const Buffer& to : {Buffer(), zero, ones, some, more}) steps.push_back(diff(from, to, seed));
    steps.push_back(diff(hex("010203"), some, seed));
    steps.push_back(diff(some, hex("0102"), seed));
    compare(steps, {.packet = ipv4_tcp()});
  }
}

TEST_F(PacketKernel, Hash) {
  compare({{set_hash, {ctx(), num(7)}}, {get_hash_recalc, {ctx()}}}, {.packet = ipv4_tcp()});
  compare({{set_hash, {ctx(), num(7)}}, {set_hash_invalid, {ctx()}}}, {.packet = ipv4_tcp()});
  compare({{set_hash, {ctx(), num(7)}}, save(0, hex("01"), 2)}, {.packet = ipv4_tcp()});
}

TEST_F(PacketKernel, SegmentedPackets) {
  spec::SkBuffMd context{};
  context.gso_size = 10;
  context.gso_segs = 4;
  context.wire_len = 100;
  const Input input{.packet = ipv4_tcp(), .skb = context};
  compare({adjust_room(8, 1, 0), adjust_room(8, 1, 1), adjust_room(-8, 1, 0)}, input);
  compare({tail(60)}, input);
  compare({head(8)}, input);
  compare({{skb_change_proto, {ctx(), num(to_be(std::uint16_t{0x86dd})), num(0)}}}, input);
  compare({{clone_redirect, {ctx(), num(1), num(0)}}}, input);
}

TEST_F(PacketKernel, Redirects) {
  for (const int flags : {0, 1, 2, 4, 8})
    compare({{redirect, {num(1), num(flags)}},
             {redirect_peer, {num(1), num(flags)}},
             {redirect_neigh, {num(1), num(0), num(0), num(flags)}}},
            {.packet = ipv4_tcp()});
  for (const int flags : {0, 1, 2})
    compare({{redirect, {num(1), num(flags)}}}, {.type = ProgType::Xdp, .packet = ipv4_tcp()});
  compare({{clone_redirect, {ctx(), num(1), num(2)}}}, {.packet = ipv4_tcp()});
}

// ---- signals: congestion, time, size
Buffer with_byte(Buffer packet, std::size_t at, int value) {
  packet[at] = static_cast<std::byte>(value);
  return packet;
}

TEST_F(PacketKernel, Congestion) {
  const Step mark{skb_ecn_set_ce, {ctx()}};
  for (const ProgType type : {ProgType::SchedCls, ProgType::CgroupSkb})
    for (const std::uint32_t flags : {0U, packet::kSkbChecksumComplete}) {
      for (const int tos : {0, 1, 2, 3, 0xfd, 0xfe})
        for (const int check : {0, 1, 2, 0xff}) {
          Buffer packet = with_byte(ipv4_tcp(), 15, tos);
          packet[24] = check > 2 ? std::byte{0xff} : std::byte{0};
          compare({mark, mark}, {.type = type, .packet = with_byte(packet, 25, check), .flags = flags});
        }
      for (const int ecn : {0x00, 0x10, 0x20, 0x30, 0xef})
        compare({mark, mark}, {.type = type, .packet = with_byte(ipv6_udp(), 15, ecn), .flags = flags});
    }
}

TEST_F(PacketKernel, CongestionBehindTags) {
  const Step mark{skb_ecn_set_ce, {ctx()}};
  for (const int ecn : {1, 2, 3}) {
    const Buffer packet = with_byte(vlan_tcp(), 19, ecn), inner = with_byte(vlan_tcp(), 15, ecn);
    for (const Buffer& each : {packet, inner})
      for (const ProgType type : {ProgType::SchedCls, ProgType::CgroupSkb})
        compare({mark}, {.type = type, .packet = each});
    compare({pop(), mark, push(0x88a8, 4), mark, push(0x8100, 5), mark}, {.packet = packet});
    compare({push(0x8100, 1), push(0x8100, 2), mark}, {.packet = with_byte(ipv4_tcp(), 15, ecn)});
    compare({head(20), mark}, {.packet = with_byte(ipv4_tcp(), 15, ecn)});
  }
  for (const char* packet :
       {"ffffffffffff 010203040506 0806 0001", "ffffffffffff 010203040506 8100 0005",
        "ffffffffffff 010203040506 8100 0005 0800", "ffffffffffff 010203040506 8100 0005 0800 4502 0000"})
    compare({mark}, {.packet = hex(packet)});
}

TEST_F(PacketKernel, DeliveryTime) {
  const auto at = [](std::int64_t time, std::int64_t type) -> Step {
    return {skb_set_tstamp, {ctx(), num(time), num(type)}};
  };
  spec::SkBuffMd context{};
  context.tstamp = 77;
  for (const Buffer& packet : {ipv4_tcp(), ipv6_udp(), vlan_tcp(), hex("ffffffffffff 010203040506 0806 0001")})
    for (const std::int64_t type : {0, 1, 2, 3, -1})
      for (const std::int64_t time : {0, 1, -1}) {
        compare({at(time, type)}, {.packet = packet, .skb = context});
        compare({at(5, 1), at(time, type)}, {.packet = packet, .skb = context});
      }
}

Step mtu(std::int64_t ifindex, std::uint32_t size, std::int64_t difference, std::int64_t flags = 0) {
  return {check_mtu, {ctx(), num(ifindex), inout(bytes_in(size)), num(difference), num(flags)}};
}

TEST_F(PacketKernel, Mtu) {
  constexpr std::int64_t kMost = INT32_MAX;
  spec::SkBuffMd segmented{};
  segmented.gso_size = 10;
  for (const int ifindex : {0, 1, 2, 3, 4, 12345, -1}) {
    Steps steps;
    for (const std::int64_t difference : {0L, 1L, -1L, 1446L, 1447L, 65482L, 65496L, 65497L, kMost, -kMost - 1})
      steps.push_back(mtu(ifindex, 0, difference));
    for (const std::uint32_t size : {1U, 1500U, 1501U, 65536U, 65537U, 0x7fffffffU, 0xffffffffU})
      for (const std::int64_t difference : {0L, 1L, -1L, kMost}) steps.push_back(mtu(ifindex, size, difference));
    for (const std::int64_t flags : {1, 2, 3})
      for (const std::uint32_t size : {0U, 5U}) {
        steps.push_back(mtu(ifindex, size, 0, flags));
        steps.push_back(mtu(ifindex, size, 5, flags));
      }
    compare(steps, {.packet = ipv4_tcp()});
    compare(steps, {.packet = ipv4_tcp(), .skb = segmented});
    compare({mtu(ifindex, 0, 0), mtu(ifindex, 0, 0, 1)}, {.packet = Buffer(3000, std::byte{0x5a}), .skb = segmented});
    compare(steps, {.type = ProgType::Xdp, .packet = ipv4_tcp()});
    compare(steps, {.type = ProgType::Xdp, .packet = Buffer(9000, std::byte{0x5a})});
  }
}

Step xdp(HelperId id, std::int64_t offset) { return {id, {ctx(), num(offset)}}; }

TEST_F(PacketKernel, Xdp) {
  for (const std::size_t size : {std::size_t{14}, std::size_t{54}, std::size_t{3500}, std::size_t{3520},
                                 std::size_t{3521}, std::size_t{5000}, std::size_t{9000}}) {
    Buffer packet(size);
    for (std::size_t i = 0; i < size; ++i) packet[i] = static_cast<std::byte>(i * 13);
    const Input input{.type = ProgType::Xdp, .packet = packet};
    for (const std::int64_t offset : {0, 1, 40, 41, 4096, 3466, 3467, 20, -216, -217, -256, -100, -5, 2616, 575, 576})
      compare({xdp(xdp_adjust_head, offset), xdp(xdp_adjust_head, 3)}, input);
    for (const std::int64_t offset : {-4, -5, -32, -216, -220, 4, -1000, 0})
      compare(
          {xdp(xdp_adjust_meta, offset), xdp(xdp_adjust_meta, -4), xdp(xdp_adjust_head, -20), xdp(xdp_adjust_head, 10)},
          input);
    for (const std::int64_t offset : {1, 20, 3466, 3467, 0, -1, -40, -41, 4000, -4000, -480, -481, -1480})
      compare({xdp(xdp_adjust_tail, offset), xdp(xdp_adjust_tail, 7), {xdp_get_buff_len, {ctx()}}}, input);
    for (const std::int64_t offset : {0, 10, 50, 53, 54, 3515, 3520, 4990, 65535, 65536, -1})
      compare({{xdp_load_bytes, {ctx(), num(offset), out(8), num(8)}},
               {xdp_store_bytes, {ctx(), num(offset), in(hex("0102030405060708")), num(8)}}},
              input);
  }
  spec::XdpMd context{16, 54, 0, 1, 0, 0};
  compare({xdp(xdp_adjust_head, 4), xdp(xdp_adjust_meta, 4), xdp(xdp_adjust_tail, 5)},
          {.type = ProgType::Xdp, .packet = ipv4_tcp(), .xdp = context});
}

TEST_F(PacketKernel, Strings) {
  const auto number = [](HelperId id, std::string_view digits, int base) -> Step {
    Buffer bytes(digits.size());
    std::memcpy(bytes.data(), digits.data(), digits.size());
    return {id, {in(bytes), num(static_cast<std::int64_t>(digits.size())), num(base), out(8)}};
  };
  for (const HelperId id : {strtol, strtoul})
    for (const int base : {0, 8, 10, 16, 2, 32, 36}) {
      Steps steps;
      for (const std::string_view digits : {"12",
                                            " 12 ",
                                            "-12",
                                            "- 12",
                                            "--1",
                                            "0x1f",
                                            "0X1F",
                                            "0x",
                                            "0xg",
                                            "017",
                                            "08",
                                            "z",
                                            " ",
                                            "-",
                                            "+5",
                                            "\t\n7x",
                                            "9223372036854775807",
                                            "9223372036854775808",
                                            "-9223372036854775808",
                                            "-9223372036854775809",
                                            "18446744073709551615",
                                            "18446744073709551616",
                                            "ffffffffffffffff",
                                            "99999999999999999999999999",
                                            "00000000000000000000000000000000000000000000000000000000000000012"})
        if (digits.size() <= 64) steps.push_back(number(id, digits, base));
      compare(steps, {.packet = ipv4_tcp()});
    }
}

// ---- sequences at random
class Dice {
 public:
  explicit Dice(unsigned seed) : engine_(seed) {}
  std::int64_t of(std::initializer_list<std::int64_t> values) { return values.begin()[below(values.size())]; }
  std::size_t below(std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(engine_); }

 private:
  std::mt19937 engine_;
};

Step any_skb_step(Dice& dice) {
  switch (dice.below(11)) {
    case 0:
      return push(static_cast<std::uint16_t>(dice.of({0x8100, 0x88a8})),
                  static_cast<std::uint16_t>(dice.of({0, 1, 4095, 65535})));
    case 1: return pop();
    case 2: return head(dice.of({0, 1, 4, 14, 60}));
    case 3: return tail(dice.of({0, 500, 600, 2000}));
    case 4: return save(dice.of({0, 12, 14, 16, 23, 40}), hex("0800 4500"), dice.of({0, 1, 2, 3}));
    case 5: return load(dice.of({0, 10, 30, 50}), static_cast<std::uint64_t>(dice.of({1, 8, 40})));
    case 6: return relative(dice.of({0, 4, 30, 60}), static_cast<std::uint64_t>(dice.of({1, 8, 40})), dice.of({0, 1}));
    case 7:
      return {skb_change_proto, {ctx(), num(to_be(static_cast<std::uint16_t>(dice.of({0x0800, 0x86dd})))), num(0)}};
    case 8:
      return {
          dice.below(2) ? l3_csum_replace : l4_csum_replace,
          {ctx(), num(dice.of({24, 40, 50})), num(dice.of({1, 77})), num(dice.of({3, 0xffff})), num(dice.of({2, 4}))}};
    case 9: return {skb_pull_data, {ctx(), num(dice.of({0, 14, 60}))}};
    default:
      return adjust_room(dice.of({4, 8, 20, 40, -4, -8, -20}), dice.of({0, 1}),
                         static_cast<std::uint64_t>(dice.of({0, 1, 2, 4, 2 | 8, 4 | 16, 128, 256, 32})));
  }
}

TEST_F(PacketKernel, SequencesOnSkb) {
  Dice dice(1);
  for (int round = 0; round < 1500; ++round) {
    Buffer packet = std::array{ipv4_tcp(), ipv6_udp(), vlan_tcp()}[dice.below(3)];
    // Long enough for every header, also after cuts: what growing finds behind a packet that is not is anybody's guess,
    // and once a kernel has moved a packet, it may let cuts go below the network header.
    packet.resize(700, std::byte{0x5a});
    Steps steps(1 + dice.below(7));
    for (Step& step : steps) step = any_skb_step(dice);
    compare(steps, {.packet = packet, .skb = spec::SkBuffMd{}});
    if (HasFailure()) break;
  }
}

TEST_F(PacketKernel, SequencesOnXdp) {
  Dice dice(2);
  for (int round = 0; round < 1000; ++round) {
    Buffer packet(static_cast<std::size_t>(dice.of({14, 54, 100, 1500, 3520, 3600, 8000})), std::byte{0x5a});
    Steps steps(1 + dice.below(6));
    for (Step& step : steps) {
      constexpr HelperId kinds[] = {xdp_adjust_head, xdp_adjust_meta, xdp_adjust_tail};
      step = xdp(kinds[dice.below(3)],
                 dice.of({-200, -100, -40, -16, -8, -4, -1, 0, 1, 4, 8, 16, 100, 500, 3000, -3000, -600}));
    }
    compare(steps, {.type = ProgType::Xdp, .packet = packet});
    if (HasFailure()) break;
  }
}

}  // namespace
}  // namespace skep::helpers::testing
