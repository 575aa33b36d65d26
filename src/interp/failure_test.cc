// What the checked policy finds: each kind of failure, at each kind of object, in one sentence; and what it must not
// find.
#include <fmt/format.h>

#include <cstddef>

#include "interp/testing.h"
#include "packet/sk_buff.h"
#include "packet/xdp_buff.h"

namespace skep::interp {
namespace {

using exec::Failure;
using spec::HelperId;
using spec::ProgType;
using testing::Outcome;
using testing::World;
using Kind = Failure::Kind;

constexpr std::uint64_t kRecordBytes = 16;
alignas(8) std::byte record[kRecordBytes];

std::uint64_t nothing(exec::Call&, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t) noexcept {
  return 0;
}

class Checked : public ::testing::Test {
 protected:
  Checked() {
    world.add_map(1, testing::array(12, 4)).lookup(key(0), 0);
    world.add_map(2, testing::array(8, 1, spec::kRdonlyProg));
    spec::MapSpec ring;
    ring.type = spec::MapType::Ringbuf;
    ring.max_entries = 4096;
    world.add_map(3, ring);
    spec::MapSpec hash = testing::array(8, 4);
    hash.type = spec::MapType::Hash;
    hash.name = "flows";
    world.add_map(4, hash);
    world.add_helper(HelperId::map_lookup_elem, testing::lookup_body);
    world.add_helper(HelperId::loop, testing::loop_body);
    for (const HelperId id :
         {HelperId::trace_printk, HelperId::probe_read, HelperId::map_update_elem, HelperId::ringbuf_submit,
          HelperId::csum_diff, HelperId::snprintf, HelperId::spin_lock, HelperId::skb_load_bytes, HelperId::strtol,
          HelperId::sk_release, HelperId::xdp_adjust_head})
      world.add_helper(id, nothing);
    world.add_helper(HelperId::ringbuf_reserve,
                     [](exec::Call&, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t,
                        std::uint64_t) noexcept { return reinterpret_cast<std::uint64_t>(&record); });
    for (std::size_t i = 0; i < sizeof frame; ++i) frame[i] = static_cast<std::byte>(i);
  }
  static const std::byte* key(std::uint32_t index) {
    static std::uint32_t value;
    value = index;
    return reinterpret_cast<const std::byte*>(&value);
  }

  // "kind size object outside @insn" of the failure, or "fine".
  static std::string told(const Outcome& outcome) {
    if (!outcome.stopped) return "fine";
    static constexpr const char* kKinds[] = {"none",       "bounds",          "uninitialised", "read-only",
                                             "misaligned", "bad instruction", "bad call",      "budget"};
    const Failure& failure = outcome.failure;
    return fmt::format("{} {} {} {} @{}", kKinds[static_cast<int>(failure.kind)], failure.size, failure.object,
                       failure.outside, failure.insn);
  }
  std::string memory(std::string_view text) { return told(world.run(text, Policy::Checked, frame)); }
  std::string xdp(std::string_view text) {
    packet::XdpBuff buff;
    buff.data = buff.data_meta = frame + 16;
    buff.data_end = frame + 48;
    const auto program =
        world.load(exec::testing::source(text, ProgType::Xdp), exec::ContextKind::XdpBuff, Policy::Checked);
    return program ? told(world.run(*program, &buff, sizeof buff)) : "not loaded";
  }
  std::string skb(std::string_view text) {
    packet::SkBuff buff;
    buff.data = buff.data_meta = frame + 16;
    buff.data_end = frame + 48;
    const auto program =
        world.load(exec::testing::source(text, ProgType::SchedCls), exec::ContextKind::SkBuff, Policy::Checked);
    return program ? told(world.run(*program, &buff, sizeof buff)) : "not loaded";
  }

  World world;
  alignas(8) std::byte frame[64];
};

struct Case {
  std::string_view program;
  std::string_view expected;
};

TEST_F(Checked, Stack) {
  const Case cases[] = {
      {"*(u64 *)(r10 -8) = 1\nr0 = *(u64 *)(r10 -8)\nexit", "fine"},
      {"*(u64 *)(r10 -512) = 1\nr0 = *(u8 *)(r10 -505)\nexit", "fine"},
      {"*(u8 *)(r10 -1) = 1\n*(u8 *)(r10 -2) = 1\nr0 = *(u16 *)(r10 -2)\nexit", "fine"},
      {"*(u64 *)(r10 -68) = 1\nr0 = *(u64 *)(r10 -68)\nexit", "fine"},  // across a word of the bitmap
      {"r0 = *(u64 *)(r10 -8)\nexit", "uninitialised 8 stack of frame 0 0 @0"},
      {"*(u32 *)(r10 -8) = 1\nr0 = *(u64 *)(r10 -8)\nexit", "uninitialised 8 stack of frame 0 0 @1"},
      {"*(u32 *)(r10 -68) = 1\nr0 = *(u64 *)(r10 -68)\nexit", "uninitialised 8 stack of frame 0 0 @1"},
      {"r0 = *(u64 *)(r10 +0)\nexit", "bounds 8 stack of frame 0 8 @0"},
      {"*(u64 *)(r10 -4) = 1\nexit", "bounds 8 stack of frame 0 4 @0"},
      {"*(u64 *)(r10 -516) = 1\nexit", "bounds 8 stack of frame 0 -4 @0"},
      {"r1 = r10\nr1 += -600\n*(u8 *)(r1 +0) = 1\nexit", "bounds 1 stack of frame 0 -88 @2"},
      // a callee's frame is gone when it has returned, and fresh when it is called again
      {"call pc+3\nr0 += -8\nr0 = *(u8 *)(r0 +0)\nexit\n*(u64 *)(r10 -8) = 1\nr0 = r10\nexit",
       "bounds 1 stack of frame 0 505 @2"},
      {"r1 = 1\ncall pc+3\nr1 = 0\ncall pc+1\nexit\nif r1 == 0 goto pc+1\n*(u64 *)(r10 -8) = 1\nr0 = *(u64 *)(r10 "
       "-8)\nexit",
       "uninitialised 8 stack of frame 1 0 @7"},
      {"r1 = r10\ncall pc+1\nexit\n*(u64 *)(r1 -4) = 1\nexit", "bounds 8 stack of frame 0 4 @3"},
  };
  for (const Case& row : cases) EXPECT_EQ(memory(row.program), row.expected) << row.program;
}

TEST_F(Checked, ContextThatIsMemory) {
  const Case cases[] = {
      {"r0 = *(u64 *)(r1 +56)\n*(u8 *)(r1 +63) = 1\nexit", "fine"},
      {"r1 += r2\nr0 = *(u8 *)(r1 -1)\nexit", "fine"},
      {"r0 = *(u64 *)(r1 +57)\nexit", "bounds 8 context 1 @0"},
      {"r0 = *(u8 *)(r1 -1)\nexit", "bounds 1 context -1 @0"},
      {"r0 = *(u8 *)(r1 +64)\nexit", "bounds 1 context 1 @0"},
      {"r1 = 0\nr0 = *(u8 *)(r1 +4)\nexit", "bounds 1 the pointer is null 0 @1"},
      {"r1 = -1\nr0 = *(u64 *)(r1 +0)\nexit", "bounds 8 no object is near 0 @1"},
      {"r1 = 0x4141414141414141\n*(u8 *)(r1 +0) = 1\nexit", "bounds 1 no object is near 0 @2"},
  };
  for (const Case& row : cases) EXPECT_EQ(memory(row.program), row.expected) << row.program;
}

TEST_F(Checked, Atomics) {
  const Case cases[] = {
      {"r2 = 1\nlock *(u64 *)(r1 +8) += r2\nlock *(u32 *)(r1 +4) |= r2\nr3 = atomic64_fetch_add((u64 *)(r1 +8), "
       "r3)\nexit",
       "fine"},
      {"r2 = 1\nlock *(u64 *)(r1 +4) += r2\nexit", "misaligned 8 context 0 @1"},
      {"r2 = 1\nr2 = atomic_xchg((u32 *)(r1 +2), r2)\nexit", "misaligned 4 context 0 @1"},
      {"r2 = load_acquire((u32 *)(r1 +2))\nexit", "misaligned 4 context 0 @0"},
      {"store_release((u16 *)(r1 +1), r2)\nexit", "misaligned 2 context 0 @0"},
      {"r2 = 1\nlock *(u64 *)(r1 +64) += r2\nexit", "bounds 8 context 8 @1"},
      {"lock *(u64 *)(r10 -8) += r2\nexit", "uninitialised 8 stack of frame 0 0 @0"},
  };
  for (const Case& row : cases) EXPECT_EQ(memory(row.program), row.expected) << row.program;
}

TEST_F(Checked, Packet) {
  const std::string data = "r2 = *(u32 *)(r1 +0)\n";
  const Case cases[] = {
      {"r0 = *(u64 *)(r2 +24)\n*(u8 *)(r2 +31) = 1\nexit", "fine"},
      {"r0 = *(u8 *)(r2 +32)\nexit", "bounds 1 packet 1 @1"},
      {"r0 = *(u64 *)(r2 +28)\nexit", "bounds 8 packet 4 @1"},
      {"r0 = *(u8 *)(r2 -3)\nexit", "bounds 1 packet -3 @1"},
  };
  for (const Case& row : cases) EXPECT_EQ(xdp(data + std::string(row.program)), row.expected) << row.program;
}

TEST_F(Checked, PacketBoundsAreThoseOfNow) {
  world.add_helper(HelperId::xdp_adjust_head, [](exec::Call& call, std::uint64_t, std::uint64_t by, std::uint64_t,
                                                 std::uint64_t, std::uint64_t) noexcept {
    auto& buff = *static_cast<packet::XdpBuff*>(call.context);
    buff.data += static_cast<std::int64_t>(by);
    buff.data_meta = buff.data;
    return std::uint64_t{0};
  });
  const std::string text =
      "r6 = r1\nr7 = *(u32 *)(r1 +0)\nr8 = 2\nr0 = *(u8 *)(r7 +0)\nr8 += -1\nif r8 == 0 goto pc+4\nr1 = r6\nr2 = 8\n"
      "call bpf_xdp_adjust_head#44\ngoto pc-7\nexit";
  EXPECT_EQ(xdp(text), "bounds 1 packet -8 @3");  // the same instruction, at first within
  EXPECT_EQ(xdp("r6 = r1\nr2 = -8\ncall bpf_xdp_adjust_head#44\nr7 = *(u32 *)(r6 +0)\nr0 = *(u8 *)(r7 +0)\nexit"),
            "fine");
}

TEST_F(Checked, LoweredContextsKeepTheirPointers) {
  const std::string hidden =
      "*(u64 *)(r10 -8) = r1\nr2 = *(u32 *)(r10 -8)\nr3 = *(u32 *)(r10 -4)\nr3 <<= 32\nr2 |= r3\n";
  EXPECT_EQ(skb(hidden + "*(u64 *)(r2 +0) = 1\nexit"), "read-only 8 context 0 @5");
  EXPECT_EQ(xdp(hidden + "*(u64 *)(r2 +8) = 1\nexit"), "read-only 8 context 0 @5");
  EXPECT_EQ(skb("*(u32 *)(r1 +8) = 1\nr0 = *(u32 *)(r1 +8)\nexit"), "fine");
  EXPECT_EQ(xdp(fmt::format("{}r0 = *(u8 *)(r2 +{})\nexit", hidden, sizeof(packet::XdpBuff))), "bounds 1 context 1 @5");
}

TEST_F(Checked, MapValues) {
  const std::string look = "*(u32 *)(r10 -4) = 2\nr1 = map[id:1]\nr2 = r10\nr2 += -4\ncall bpf_map_lookup_elem#1\n";
  const Case cases[] = {
      {"if r0 == 0 goto pc+2\n*(u64 *)(r0 +4) = 1\nr0 = *(u64 *)(r0 +4)\nexit", "fine"},
      {"*(u64 *)(r0 +8) = 1\nexit", "bounds 8 map m1, value 2 4 @6"},
      {"r0 = *(u8 *)(r0 -1)\nexit", "bounds 1 map m1, value 2 -1 @6"},
      {"r0 = *(u8 *)(r0 +12)\nexit", "bounds 1 map m1, value 2 1 @6"},
  };
  for (const Case& row : cases) EXPECT_EQ(memory(look + std::string(row.program)), row.expected) << row.program;
  EXPECT_EQ(memory("*(u32 *)(r10 -4) = 2\nr1 = map[id:4]\nr2 = r10\nr2 += -4\ncall bpf_map_lookup_elem#1\n"
                   "r0 = *(u8 *)(r0 +0)\nexit"),
            "bounds 1 the pointer is null 0 @6");
}

TEST_F(Checked, ADeletedElementStaysAccessible) {
  maps::Map& flows = *world.map(spec::MapId{4});
  const std::uint64_t value = 5;
  ASSERT_EQ(flows.update(key(2), reinterpret_cast<const std::byte*>(&value), 0, 0), 0);
  world.add_helper(HelperId::map_delete_elem, [](exec::Call&, std::uint64_t map, std::uint64_t at, std::uint64_t,
                                                 std::uint64_t, std::uint64_t) noexcept {
    return static_cast<std::uint64_t>(reinterpret_cast<maps::Map*>(map)->erase(reinterpret_cast<const std::byte*>(at)));
  });
  EXPECT_EQ(memory("*(u32 *)(r10 -4) = 2\nr1 = map[id:4]\nr2 = r10\nr2 += -4\ncall bpf_map_lookup_elem#1\nr6 = r0\n"
                   "r1 = map[id:4]\nr2 = r10\nr2 += -4\ncall bpf_map_delete_elem#3\nr0 = *(u64 *)(r6 +0)\nr0 = *(u8 "
                   "*)(r6 +8)\nexit"),
            "bounds 1 value of map flows 1 @13");
}

TEST_F(Checked, GlobalData) {
  const Case cases[] = {
      {"r1 = map[id:2][0]+4\nr0 = *(u32 *)(r1 +0)\nexit", "fine"},
      {"r1 = map[id:2][0]+4\nr0 = *(u32 *)(r1 +1)\nexit", "bounds 4 map m2, value 0 1 @2"},
      {"r1 = map[id:2][0]+4\n*(u32 *)(r1 +0) = 1\nexit", "read-only 4 map m2, value 0 0 @2"},
      {"r1 = map[id:1]\nr0 = *(u64 *)(r1 +0)\nexit", "bounds 8 map m1 itself, which is no memory of the program 0 @2"},
  };
  for (const Case& row : cases) EXPECT_EQ(memory(row.program), row.expected) << row.program;
}

TEST_F(Checked, RingBufferRecords) {
  const std::string reserve = "r1 = map[id:3]\nr2 = 16\nr3 = 0\ncall bpf_ringbuf_reserve#131\nr6 = r0\n";
  const std::string submit = "r1 = r6\nr2 = 0\ncall bpf_ringbuf_submit#132\n";
  const Case cases[] = {
      {"*(u64 *)(r6 +8) = 1\n", "fine"},
      {"*(u64 *)(r6 +12) = 1\n", "bounds 8 record of map m3 4 @6"},
      {"r6 += 8\n", "bad call 0 a record argument is no record this run has reserved 0 @9"},
  };
  for (const Case& row : cases)
    EXPECT_EQ(memory(reserve + std::string(row.program) + submit + "exit"), row.expected) << row.program;
  const std::string late = memory(reserve + "*(u64 *)(r6 +8) = 1\n" + submit + "*(u64 *)(r6 +8) = 1\nexit");
  EXPECT_TRUE(late.starts_with("bounds 8 ")) << late;
  EXPECT_TRUE(late.ends_with(" @10")) << late;
  EXPECT_EQ(memory(reserve + submit + submit + "exit"),
            "bad call 0 a record argument is no record this run has reserved 0 @11");
}

TEST_F(Checked, HelperArguments) {
  const std::string fp = "*(u64 *)(r10 -8) = 0\nr1 = r10\nr1 += -8\n";
  const Case cases[] = {
      {"r1 = r10\nr1 += -8\nr2 = 8\ncall bpf_trace_printk#6\nexit", "uninitialised 8 stack of frame 0 0 @3"},
      {"*(u64 *)(r10 -8) = 0\nr1 = r10\nr1 += -8\nr2 = 8\ncall bpf_trace_printk#6\nr0 = 0\nexit", "fine"},
      {"*(u64 *)(r10 -8) = 0\nr1 = r10\nr1 += -8\nr2 = 9\ncall bpf_trace_printk#6\nexit",
       "bounds 9 stack of frame 0 1 @4"},
      {"*(u64 *)(r10 -8) = 0\nr1 = r10\nr1 += -8\nr2 = -1\ncall bpf_trace_printk#6\nexit",
       "bounds 4294967295 stack of frame 0 4294967287 @4"},
      // output memory need not be initialised, and is afterwards
      {"r1 = r10\nr1 += -8\nr2 = 8\nr3 = 0\ncall bpf_probe_read#4\nr0 = *(u64 *)(r10 -8)\nexit", "fine"},
      {"r1 = r10\nr1 += -8\nr2 = 7\nr3 = 0\ncall bpf_probe_read#4\nr0 = *(u64 *)(r10 -8)\nexit",
       "uninitialised 8 stack of frame 0 0 @5"},
      {"r1 = map[id:2][0]+0\nr2 = 8\nr3 = 0\ncall bpf_probe_read#4\nexit", "read-only 8 map m2, value 0 0 @4"},
      // keys and values have the map's sizes
      {"*(u32 *)(r10 -4) = 0\nr1 = map[id:1]\nr2 = r10\nr2 += -2\ncall bpf_map_lookup_elem#1\nexit",
       "bounds 4 stack of frame 0 2 @5"},
      {"*(u32 *)(r10 -4) = 0\nr1 = map[id:1]\nr2 = r10\nr2 += -4\nr3 = r10\nr3 += -8\nr4 = 0\ncall "
       "bpf_map_update_elem#2\nexit",
       "bounds 12 stack of frame 0 4 @8"},
      {"r1 = 5\nr2 = r10\ncall bpf_map_lookup_elem#1\nexit", "bad call 0 a map argument is no map 0 @2"},
      {"r2 = r10\ncall bpf_map_lookup_elem#1\nexit", "bad call 0 a map argument is no map 0 @1"},
      // NULL where it may be, with no bytes
      {"r1 = 0\nr2 = 0\nr3 = 0\nr4 = 0\nr5 = 0\ncall bpf_csum_diff#28\nexit", "fine"},
      {"r1 = 0\nr2 = 4\nr3 = 0\nr4 = 0\nr5 = 0\ncall bpf_csum_diff#28\nexit", "bounds 4 the pointer is null 0 @5"},
      {"r1 = 1\nr2 = 5\nr3 = 0\nr4 = 0\ncall bpf_loop#181\nexit", "bad call 0 a callback argument is no function 0 @4"},
      {"r1 = 1\nr2 = 0\nr3 = 0\nr4 = 0\ncall bpf_loop#181\nexit", "bad call 0 the callback is no function 0 @4"},
      {"r1 = 0\nr2 = 0\nr3 = 0\nr4 = 0\ncall bpf_loop#181\nexit", "fine"},
      {"r1 = 0\ncall bpf_sk_release#86\nexit", "bad call 0 an argument is a kernel object, and there are none 0 @1"},
      {"r1 = 5\nr2 = 0\nr3 = r10\nr4 = 4\ncall bpf_skb_load_bytes#26\nexit",
       "bad call 0 a context argument is not the context 0 @4"},
      // a format string must be constant and end
      {"*(u64 *)(r10 -8) = 0\nr1 = r10\nr1 += -8\nr2 = 8\nr3 = r10\nr3 += -8\nr4 = 0\nr5 = 0\ncall "
       "bpf_snprintf#165\nexit",
       "bad call 0 a constant string is not in read-only memory 0 @8"},
      {"*(u64 *)(r10 -8) = 0\nr1 = r10\nr1 += -8\nr2 = 8\nr3 = map[id:1]\nr4 = 0\nr5 = 0\ncall bpf_snprintf#165\nexit",
       "bad call 0 a constant string is not in read-only memory 0 @8"},
      {"*(u64 *)(r10 -8) = 0\nr1 = r10\nr1 += -8\nr2 = 8\nr3 = map[id:2][0]+0\nr4 = 0\nr5 = 0\ncall "
       "bpf_snprintf#165\nexit",
       "fine"},
  };
  for (const Case& row : cases) EXPECT_EQ(memory(row.program), row.expected) << row.program;
}

TEST_F(Checked, WhatAFailedHelperWasToWriteIsNotWrittenForTheStrict) {
  world.add_helper(HelperId::probe_read, [](exec::Call&, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t,
                                            std::uint64_t) noexcept { return static_cast<std::uint64_t>(-EFAULT); });
  const std::string call = "r1 = r10\nr1 += -8\nr2 = 8\nr3 = 0\ncall bpf_probe_read#4\nr0 = *(u64 *)(r10 -8)\nexit";
  const auto run = [&](const std::string& text, Policy policy) { return told(world.run(text, policy, frame)); };
  EXPECT_EQ(run(call, Policy::Strict), "uninitialised 8 stack of frame 0 0 @5");
  EXPECT_EQ(run(call, Policy::Checked), "fine");
  EXPECT_EQ(run("*(u64 *)(r10 -8) = 0\n" + call, Policy::Strict), "fine");
}

TEST_F(Checked, ArgumentRegistersAreWorthlessAfterACall) {
  EXPECT_EQ(memory("call bpf_csum_diff#28\nr0 = *(u8 *)(r1 +0)\nexit").substr(0, 8), "bounds 1");
}

TEST_F(Checked, CallbacksOfForEach) {
  world.add_helper(HelperId::for_each_map_elem, [](exec::Call& call, std::uint64_t map, std::uint64_t function,
                                                   std::uint64_t context, std::uint64_t, std::uint64_t) noexcept {
    for (std::uint32_t i = 0; i < 4; ++i) {
      std::byte* value = reinterpret_cast<maps::Map*>(map)->lookup(reinterpret_cast<const std::byte*>(&i), 0);
      call.callback(call, function, map, reinterpret_cast<std::uint64_t>(&i), reinterpret_cast<std::uint64_t>(value),
                    context, 0);
    }
    return std::uint64_t{4};
  });
  const std::string each =
      "r1 = map[id:1]\nr2 = subprog[each]\nr3 = 0\nr4 = 0\ncall bpf_for_each_map_elem#164\nexit\neach: ";
  const Case cases[] = {
      {"r0 = *(u32 *)(r2 +0)\nr0 = *(u32 *)(r3 +8)\n*(u32 *)(r3 +8) = 1\nr0 = 0\nexit", "fine"},
      {"r0 = *(u64 *)(r2 +0)\nexit", "bounds 8 key of map m1 4 @8"},
      {"*(u32 *)(r2 +0) = 1\nexit", "read-only 4 key of map m1 0 @8"},
      {"r0 = *(u64 *)(r3 +8)\nexit", "bounds 8 map m1, value 0 4 @8"},
      // another map in between: the elements are still those of the first
      {"r6 = r3\n*(u32 *)(r10 -4) = 0\nr1 = map[id:4]\nr2 = r10\nr2 += -4\ncall bpf_map_lookup_elem#1\nr0 = *(u32 "
       "*)(r6 +8)\nr0 = 0\nexit",
       "fine"},
  };
  for (const Case& row : cases) EXPECT_EQ(memory(each + std::string(row.program)), row.expected) << row.program;
}

TEST_F(Checked, SaysItInOneSentence) {
  exec::Source source = exec::testing::source("r0 = 0\nr0 = *(u64 *)(r10 -8)\nexit");
  source.name = "firewall";
  source.lines = {{0, 41, 3, "firewall.bpf.c", "int r = 0;"}, {1, 42, 3, "firewall.bpf.c", "return cache->hits;"}};
  const auto program = world.load(source, exec::ContextKind::Memory, Policy::Checked);
  const Outcome outcome = world.run(*program);
  EXPECT_EQ(
      outcome.failure.text(),
      fmt::format("firewall instruction 1 (firewall.bpf.c:42: return cache->hits;) read 8 bytes at {:#x} before they "
                  "were written: stack of frame 0.",
                  outcome.failure.address));
}

TEST(FailureText, EveryKind) {
  Failure failure;
  failure.program = "prog";
  failure.insn = 3;
  failure.size = 1;
  failure.address = 0x1234;
  failure.object = "packet";
  failure.outside = -2;
  const std::pair<Kind, std::string_view> cases[] = {
      {Kind::None, "prog instruction 3 ran to its end: packet."},
      {Kind::OutOfBounds,
       "prog instruction 3 accessed 1 byte at 0x1234, outside every live object; 2 bytes before packet."},
      {Kind::Uninitialised, "prog instruction 3 read 1 byte at 0x1234 before they were written: packet."},
      {Kind::ReadOnly, "prog instruction 3 wrote 1 byte at 0x1234, which may only be read: packet."},
      {Kind::Misaligned,
       "prog instruction 3 atomically accessed 1 byte at 0x1234, which is not aligned to its size: packet."},
      {Kind::BadInstruction, "prog instruction 3 reached an instruction no engine can run: packet."},
      {Kind::BadCall, "prog instruction 3 made a call that cannot be made: packet."},
      {Kind::Budget, "prog instruction 3 used up its instruction budget: packet."},
  };
  for (const auto& [kind, text] : cases) {
    failure.kind = kind;
    EXPECT_EQ(failure.text(), text);
  }
  failure.kind = Kind::OutOfBounds;
  failure.outside = 1;
  EXPECT_TRUE(failure.text().ends_with("; 1 byte behind packet."));
  failure.outside = 0;
  EXPECT_TRUE(failure.text().ends_with("; packet."));
}

}  // namespace
}  // namespace skep::interp
