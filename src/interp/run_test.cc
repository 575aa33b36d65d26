// What runs do beyond single instructions: calls, callbacks, tail calls, limits, packet loads, nested runs.
#include <fmt/format.h>

#include "interp/testing.h"
#include "isa/op.h"
#include "packet/sk_buff.h"
#include "packet/xdp_buff.h"

namespace skep::interp {
namespace {

using exec::Failure;
using spec::HelperId;
using spec::ProgType;
using testing::Outcome;
using testing::World;

class Run : public ::testing::TestWithParam<Policy> {
 protected:
  Outcome run(std::string_view text, MutableBytes memory = {}, std::uint64_t budget = 0) {
    return world.run(text, GetParam(), memory, budget);
  }
  void expect_stop(const Outcome& outcome, Failure::Kind kind, std::string_view object) {
    EXPECT_TRUE(outcome.stopped);
    EXPECT_EQ(outcome.failure.kind, kind);
    EXPECT_EQ(outcome.failure.object, object);
  }
  World world;
};
INSTANTIATE_TEST_SUITE_P(Policies, Run, ::testing::Values(Policy::Plain, Policy::Checked), testing::name_of);

// ---- Subprograms

TEST_P(Run, SubprogramsHaveTheirOwnFramesAndKeepTheCallersRegisters) {
  const Outcome outcome =
      run("r6 = 6\nr9 = 9\n*(u64 *)(r10 -8) = 1\ncall pc+5\nr1 = *(u64 *)(r10 -8)\nr0 += r1\nr0 += r6\nr0 += r9\nexit\n"
          "r6 = 0\nr9 = 0\n*(u64 *)(r10 -8) = 100\nr0 = *(u64 *)(r10 -8)\nexit");
  EXPECT_EQ(outcome.r0, 116U);
  EXPECT_FALSE(outcome.stopped);
}

TEST_P(Run, ACalleeWritesItsCallersStack) {
  const Outcome outcome =
      run("r1 = r10\nr1 += -16\n*(u64 *)(r10 -16) = 0\ncall pc+2\nr0 = *(u64 *)(r10 -16)\nexit\n*(u64 *)(r1 +0) = "
          "77\nexit");
  EXPECT_EQ(outcome.r0, 77U);
}

// Main and `calls` frames below it, the last of which does `what`.
std::string chain(unsigned calls, std::string_view what = "r0 = 42") {
  std::string text;
  for (unsigned i = 0; i < calls; ++i) text += "call pc+1\nexit\n";
  return text + std::string(what) + "\nexit";
}

TEST_P(Run, EightFramesAndNoMore) {
  EXPECT_EQ(run(chain(7)).r0, 42U);
  const Outcome outcome = run(chain(8));
  expect_stop(outcome, Failure::Kind::BadCall, "calls nested too deep");
  EXPECT_EQ(outcome.failure.insn, 14U);
}

TEST_P(Run, RecursionIsStopped) {
  expect_stop(run("call pc-1\nexit"), Failure::Kind::BadCall, "calls nested too deep");
}

// ---- Limits

TEST_P(Run, BudgetIsExact) {
  for (const std::uint64_t budget : {4U, 5U, 100U}) {
    const Outcome outcome = run("r0 = 1\nr0 += 1\nr0 += 1\nexit", {}, budget);
    EXPECT_FALSE(outcome.stopped) << budget;
    EXPECT_EQ(outcome.budget, budget - 4);
  }
  const Outcome outcome = run("r0 = 1\nr0 += 1\nr0 += 1\nexit", {}, 3);
  expect_stop(outcome, Failure::Kind::Budget, "");
  EXPECT_EQ(outcome.failure.insn, 3U);
  EXPECT_EQ(outcome.budget, 0U);
}

TEST_P(Run, BudgetEndsALoop) {
  expect_stop(run("goto pc-1", {}, 1000), Failure::Kind::Budget, "");
  EXPECT_EQ(run("gotol pc-1", {}, 1).failure.text(), "prog instruction 0 used up its instruction budget.");
}

TEST_P(Run, MayGotoEndsALoop) {
  EXPECT_EQ(run("r0 = 0\nmay_goto pc+2\nr0 += 1\ngoto pc-3\nexit").r0, 8U * 1024 * 1024);
  // each call has its own count
  EXPECT_EQ(run("r6 = 0\ncall pc+5\nr6 += r0\ncall pc+3\nr0 += r6\nexit\nexit\nr0 = 0\nmay_goto pc+2\nr0 += 1\ngoto "
                "pc-3\nexit")
                .r0,
            2U * 8 * 1024 * 1024);
}

TEST_P(Run, WhatNoEngineCanRun) {
  expect_stop(run("call bpf_ktime_get_ns#5\nexit"), Failure::Kind::BadCall, "this helper has no body here");
  expect_stop(run("call kfunc bpf_x#77\nexit"), Failure::Kind::BadCall, "this kernel function has no body here");
  expect_stop(run("r1 = 999\ncallx r1\nexit"), Failure::Kind::BadCall, "this helper has no body here");
  expect_stop(run("r1 = -1\ncallx r1\nexit"), Failure::Kind::BadCall, "this helper has no body here");
}

// ---- Helpers and callbacks

TEST_P(Run, HelpersGetFiveArgumentsAndTheCall) {
  world.add_helper(HelperId::trace_printk, [](exec::Call& call, std::uint64_t a, std::uint64_t b, std::uint64_t c,
                                              std::uint64_t d, std::uint64_t e) noexcept {
    return call.host.now(exec::Clock::Boot) + *reinterpret_cast<const std::uint8_t*>(a) + b * 10 + c * 100 + d * 1000 +
           e * 10000;
  });
  EXPECT_EQ(
      run("*(u64 *)(r10 -8) = 7\nr1 = r10\nr1 += -8\nr2 = 8\nr3 = 3\nr4 = 4\nr5 = 5\ncall bpf_trace_printk#6\nexit").r0,
      1234U + 7 + 80 + 300 + 4000 + 50000);
}

TEST_P(Run, CallbacksRunInTheirOwnFrameAndReachTheCallers) {
  world.add_helper(HelperId::loop, testing::loop_body);
  const Outcome outcome = run(
      "*(u64 *)(r10 -8) = 0\nr6 = 5\nr1 = 10\nr2 = subprog[each]\nr3 = r10\nr3 += -8\nr4 = 0\ncall bpf_loop#181\n"
      "r1 = *(u64 *)(r10 -8)\nr0 *= 1000\nr0 += r1\nr0 += r6\nexit\n"
      "each: r6 = 0\nr3 = *(u64 *)(r2 +0)\nr3 += r1\n*(u64 *)(r2 +0) = r3\nr0 = 0\nif r1 < 7 goto pc+1\nr0 = 1\nexit");
  EXPECT_FALSE(outcome.stopped) << outcome.failure.text();
  EXPECT_EQ(outcome.r0, 8U * 1000 + 28 + 5);  // the callback ends the loop at index 7
}

TEST_P(Run, CallbacksNestAndAreFrames) {
  world.add_helper(HelperId::loop, testing::loop_body);
  // main -> callback -> callback of the callback
  const std::string text =
      "r1 = 3\nr2 = subprog[outer]\nr3 = 0\nr4 = 0\ncall bpf_loop#181\nexit\n"
      "outer: r1 = 2\nr2 = subprog[inner]\nr3 = 0\nr4 = 0\ncall bpf_loop#181\nr0 = 0\nexit\n"
      "inner: r0 = 0\nexit";
  EXPECT_EQ(run(text).r0, 3U);
  // a callback that calls itself as a callback runs out of frames
  expect_stop(run("again: r1 = 1\nr2 = subprog[again]\nr3 = 0\nr4 = 0\ncall bpf_loop#181\nexit"),
              Failure::Kind::BadCall, "callbacks nested too deep");
}

TEST_P(Run, BudgetHoldsInCallbacks) {
  world.add_helper(HelperId::loop, testing::loop_body);
  const std::string text =
      "r1 = 1000000\nr2 = subprog[each]\nr3 = 0\nr4 = 0\ncall bpf_loop#181\nexit\neach: r0 = 0\nexit";
  expect_stop(run(text, {}, 5000), Failure::Kind::Budget, "");
  EXPECT_EQ(
      run("r1 = 10\nr2 = subprog[each]\nr3 = 0\nr4 = 0\ncall bpf_loop#181\nexit\neach: r0 = 0\nexit", {}, 1000).budget,
      1000U - 6 - 10 * 2);
}

TEST_P(Run, HelpersMayRunOtherPrograms) {
  world.add_helper(HelperId::ktime_get_ns, [](exec::Call& call, std::uint64_t, std::uint64_t, std::uint64_t,
                                              std::uint64_t, std::uint64_t) noexcept {
    auto& host = static_cast<World&>(call.host);
    return host.run(*host.program({1, 1})).r0;
  });
  const auto inner = world.load("*(u64 *)(r10 -8) = 30\nr0 = *(u64 *)(r10 -8)\nexit", GetParam());
  world.add_program(1, *inner);
  EXPECT_EQ(run("*(u64 *)(r10 -8) = 12\ncall bpf_ktime_get_ns#5\nr1 = *(u64 *)(r10 -8)\nr0 += r1\nexit").r0, 42U);
}

// ---- Tail calls

class TailCall : public Run {
 protected:
  void SetUp() override {
    spec::MapSpec spec = testing::array(4, 4);
    spec.type = spec::MapType::ProgArray;
    slots = &world.add_map(1, spec);
  }
  void put(std::uint32_t slot, std::uint32_t id, const exec::Executable& program) {
    world.add_program(id, program);
    EXPECT_EQ(slots->set_reference(reinterpret_cast<const std::byte*>(&slot), {id, 1}, 0, nullptr), 0);
  }
  maps::Map* slots = nullptr;
};
INSTANTIATE_TEST_SUITE_P(Policies, TailCall, ::testing::Values(Policy::Plain, Policy::Checked), testing::name_of);

TEST_P(TailCall, GoesToTheProgramWithItsContext) {
  const auto target = world.load("r0 = *(u8 *)(r1 +0)\nexit", GetParam());
  put(2, 7, *target);
  std::byte memory[] = {std::byte{99}};
  const auto first = world.load("r2 = map[id:1]\nr3 = 2\ncall bpf_tail_call#12\nr0 = 1\nexit", GetParam());
  const Outcome outcome = world.run(*first, memory, 1);
  EXPECT_EQ(outcome.r0, 99U) << outcome.failure.text();
  EXPECT_EQ(outcome.program, target.get());
  EXPECT_EQ(outcome.tail_calls, 1U);
}

TEST_P(TailCall, FallsThroughWhereThereIsNothing) {
  std::byte memory[] = {std::byte{99}};
  for (const std::string_view index : {"0", "3", "4", "-1"})
    EXPECT_EQ(run(fmt::format("r2 = map[id:1]\nr3 = {}\ncall bpf_tail_call#12\nr0 = 5\nexit", index), memory).r0, 5U)
        << index;
}

TEST_P(TailCall, ThirtyThreeAndNoMore) {
  const auto loop = world.load("r2 = map[id:1]\nr3 = 0\ncall bpf_tail_call#12\nr0 = 5\nexit", GetParam());
  put(0, 7, *loop);
  const Outcome outcome = world.run(*loop);
  EXPECT_EQ(outcome.r0, 5U) << outcome.failure.text();
  EXPECT_EQ(outcome.tail_calls, 33U);
}

TEST_P(TailCall, InASubprogramReplacesOnlyThat) {
  const auto target = world.load("r6 = 1\nr0 = 40\nexit", GetParam());
  put(0, 7, *target);
  const auto first = world.load(
      "r6 = 2\ncall pc+2\nr0 += r6\nexit\nr2 = map[id:1]\nr3 = 0\ncall bpf_tail_call#12\nr0 = 9\nexit", GetParam());
  const Outcome outcome = world.run(*first);
  EXPECT_EQ(outcome.r0, 42U) << outcome.failure.text();
  EXPECT_EQ(outcome.program, first.get());
}

TEST_P(TailCall, FramesRunOutAtLast) {
  const auto target =
      world.load("call pc+1\nexit\nr2 = map[id:1]\nr3 = 0\ncall bpf_tail_call#12\nr0 = 9\nexit", GetParam());
  put(0, 7, *target);
  EXPECT_EQ(world.run(*target).r0, 9U);  // 34 frames of the 64
  const auto deep = world.load(chain(7, "r2 = map[id:1]\nr3 = 1\ncall bpf_tail_call#12\nr0 = 9"), GetParam());
  put(1, 8, *deep);
  expect_stop(world.run(*deep), Failure::Kind::BadCall, "calls nested too deep");
}

TEST_P(TailCall, ToAProgramOfAnotherPolicy) {
  const Policy other = GetParam() == Policy::Plain ? Policy::Checked : Policy::Plain;
  const auto target = world.load("r0 = 40\nexit", other);
  put(0, 7, *target);
  const Outcome outcome =
      run("r6 = 2\ncall pc+2\nr0 += r6\nexit\nr2 = map[id:1]\nr3 = 0\ncall bpf_tail_call#12\nr0 = 9\nexit", {}, 100);
  EXPECT_EQ(outcome.r0, 42U) << outcome.failure.text();
  EXPECT_EQ(outcome.budget, 100U - 9);
}

// ---- Contexts

class Packet : public Run {
 protected:
  Packet() {
    for (std::size_t i = 0; i < sizeof frame; ++i) frame[i] = static_cast<std::byte>(i);
    skb.head = frame;
    skb.data = frame + 32;
    skb.data_meta = frame + 28;
    skb.data_end = frame + 96;
    skb.end = frame + sizeof frame;
    skb.len = 64;
    skb.mac_len = 14;
    skb.network_offset = 14;
  }
  Outcome run_skb(std::string_view text, ProgType type = ProgType::SchedCls) {
    const auto program = world.load(exec::testing::source(text, type), exec::ContextKind::SkBuff, GetParam());
    return program ? world.run(*program, &skb, sizeof skb) : testing::failed();
  }
  std::byte frame[128];
  packet::SkBuff skb;
};
INSTANTIATE_TEST_SUITE_P(Policies, Packet, ::testing::Values(Policy::Plain, Policy::Checked), testing::name_of);

TEST_P(Packet, LegacyLoads) {
  const std::pair<const char*, std::uint64_t> cases[] = {
      {"r0 = *(u8 *)skb[0]", 32},
      {"r0 = *(u16 *)skb[1]", 0x2122},
      {"r0 = *(u32 *)skb[60]", 0x5c5d5e5f},
      {"r0 = *(u32 *)skb[61]", 0},
      {"r0 = *(u8 *)skb[64]", 0},
      {"r0 = *(u8 *)skb[2147483647]", 0},
      {"r0 = *(u8 *)skb[-1048576]", 46},       // SKF_NET_OFF
      {"r0 = *(u8 *)skb[-1048577]", 0},        // far behind the link-layer header
      {"r0 = *(u16 *)skb[-2097152]", 0x2021},  // SKF_LL_OFF
      {"r0 = *(u8 *)skb[-2097153]", 0},
      {"r0 = *(u8 *)skb[-1]", 0},
      {"r7 = 3\nr0 = *(u8 *)skb[r7 + 2]", 37},
      {"r7 = -1048576\nr0 = *(u8 *)skb[r7 + 1]", 47},
      {"r7 = 0x1000000000000000\nr0 = *(u8 *)skb[r7 + 2]", 34},
  };
  for (const auto& [load, expected] : cases) {
    const Outcome outcome = run_skb(fmt::format("r6 = r1\n{}\nexit", load));
    EXPECT_FALSE(outcome.stopped) << load;
    EXPECT_EQ(outcome.r0, expected) << load;
  }
}

TEST_P(Packet, AFailedLegacyLoadLeavesTheSubprogram) {
  EXPECT_EQ(run_skb("r6 = r1\nr0 = *(u8 *)skb[99]\nr0 = 7\nexit").r0, 0U);
  EXPECT_EQ(run_skb("r6 = r1\ncall pc+2\nr0 += 5\nexit\nr6 = r1\nr0 = *(u8 *)skb[99]\nr0 = 7\nexit").r0, 5U);
}

TEST_P(Packet, ContextFieldsReadAndWrite) {
  skb.mark = 0x11223344;
  skb.hash = 77;
  skb.queue_mapping = 3;
  skb.tstamp = 0x1122334455667788;
  EXPECT_EQ(run_skb("r0 = *(u32 *)(r1 +8)\nexit").r0, 0x11223344U);
  EXPECT_EQ(run_skb("r0 = *(u8 *)(r1 +9)\nexit").r0, 0x33U);
  EXPECT_EQ(run_skb("r0 = *(s8 *)(r1 +11)\nr0 -= 1\nexit").r0, 0x10U);
  EXPECT_EQ(run_skb("r0 = *(u32 *)(r1 +68)\nexit").r0, 77U);
  EXPECT_EQ(run_skb("r0 = *(u64 *)(r1 +152)\nexit").r0, 0x1122334455667788U);
  EXPECT_EQ(run_skb("r0 = *(u64 *)(r1 +168)\nexit").r0, 0U);
  EXPECT_EQ(run_skb("r2 = *(u32 *)(r1 +76)\nr3 = *(u32 *)(r1 +80)\nr0 = r3\nr0 -= r2\nexit").r0, 64U);
  EXPECT_EQ(run_skb("r2 = *(u32 *)(r1 +76)\nr0 = *(u8 *)(r2 +5)\nexit").r0, 37U);
  EXPECT_EQ(run_skb("r2 = *(u32 *)(r1 +140)\nr0 = *(u8 *)(r2 +0)\nexit").r0, 28U);
  EXPECT_FALSE(
      run_skb("r2 = 0x55\n*(u32 *)(r1 +8) = r2\n*(u32 *)(r1 +44) = 0x12345\n*(u32 *)(r1 +52) = 9\nr0 = 0\nexit")
          .stopped);
  EXPECT_EQ(skb.mark, 0x55U);
  EXPECT_EQ(skb.tc_index, 0x2345U);
  EXPECT_EQ(skb.cb[1], 9U);
  EXPECT_FALSE(run_skb("r2 = 65535\n*(u32 *)(r1 +12) = r2\nr0 = 0\nexit").stopped);
  EXPECT_EQ(skb.queue_mapping, 3U);
  EXPECT_FALSE(run_skb("r2 = 8\n*(u32 *)(r1 +12) = r2\nr0 = 0\nexit").stopped);
  EXPECT_EQ(skb.queue_mapping, 8U);
}

TEST_P(Packet, XdpBoundsAndPacketBytes) {
  packet::XdpBuff xdp;
  xdp.data = xdp.data_meta = frame + 10;
  xdp.data_end = frame + 20;
  xdp.rx_queue_index = 6;
  const auto program = world.load(
      exec::testing::source(
          "r2 = *(u32 *)(r1 +0)\nr3 = *(u32 *)(r1 +4)\nr4 = r2\nr4 += 10\nr0 = 0\nif r4 > r3 goto pc+5\n"
          "r0 = *(u8 *)(r2 +9)\n*(u8 *)(r2 +0) = 200\nr5 = *(u8 *)(r2 +0)\nr0 += r5\nr1 = *(u32 *)(r1 +16)\nexit",
          ProgType::Xdp),
      exec::ContextKind::XdpBuff, GetParam());
  EXPECT_EQ(world.run(*program, &xdp, sizeof xdp).r0, 219U);
  xdp.data_end = frame + 19;
  EXPECT_EQ(world.run(*program, &xdp, sizeof xdp).r0, 0U);
}

// ---- Loads of what may be no memory

// Reads one place, and nothing else.
std::int64_t readable = -2;
std::uint64_t read_one_place(exec::Call&, std::uint64_t to, std::uint64_t bytes, std::uint64_t from, std::uint64_t,
                             std::uint64_t) noexcept {
  if (from != reinterpret_cast<std::uint64_t>(&readable)) return static_cast<std::uint64_t>(-EFAULT);
  std::memcpy(reinterpret_cast<void*>(to), &readable, bytes);
  return 0;
}

TEST(Probed, LoadsOfNoMemoryAreZero) {
  World world;
  world.add_helper(spec::HelperId::probe_read_kernel, read_one_place);
  struct {
    const char* text;
    std::uint32_t load;
    std::uint64_t expected;
  } constexpr kCases[] = {
      {"r0 = *(u64 *)(r1 +0)\nexit", 0, 0xfffffffffffffffe},
      {"r0 = *(u32 *)(r1 +0)\nexit", 0, 0xfffffffe},
      {"r0 = *(u8 *)(r1 +0)\nexit", 0, 0xfe},
      {"r0 = *(s16 *)(r1 +0)\nexit", 0, 0xfffffffffffffffe},
      {"r1 = 16\nr1 += 8\nr0 = *(u64 *)(r1 +0)\nexit", 2, 0},
      {"r1 += 8\nr0 = *(s8 *)(r1 -8)\nexit", 1, 0xfffffffffffffffe},
  };
  for (const Policy policy : {Policy::Plain, Policy::Checked})
    for (const auto& test : kCases) {
      exec::Source source = exec::testing::source(test.text);
      source.probed = {test.load};
      const auto program = world.load(source, exec::ContextKind::Memory, policy);
      EXPECT_EQ(world.run(*program, &readable, sizeof readable).r0, test.expected) << test.text;
    }
}

// ---- Binding

TEST(Bind, WhatIsMissing) {
  World world;
  world.add_map(1, testing::array(8, 1));
  world.add_map(2, testing::array(8, 2));
  const std::pair<const char*, const char*> cases[] = {
      {"r1 = map[id:9]\nexit", "map 9, which instruction 0 uses, is not there"},
      {"r0 = 0\nr1 = map[id:1][0]+8\nexit", "offset 8 is outside the 8 bytes of map 1"},
      {"r1 = map[id:1][0]+7\nexit", "accepted"},
  };
  for (const auto& [text, expected] : cases) {
    auto image = exec::assume_verified(exec::testing::source(text), "test");
    ASSERT_TRUE(image);
    EXPECT_EQ(exec::testing::refusal(interp::bind(std::make_shared<const exec::Image>(*image), world, Policy::Plain)),
              expected);
  }
}

}  // namespace
}  // namespace skep::interp
