// What runs do beyond single instructions, on each engine that trusts its programs and between them: calls, callbacks,
// tail calls, limits, packet loads, nested runs, stops.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <bit>
#include <tuple>

#include "helpers/bodies.h"
#include "interp/testing.h"
#include "jit/jit.h"
#include "packet/sk_buff.h"

namespace skep::runtime {
namespace {

using exec::Failure;
using interp::testing::Outcome;
using interp::testing::World;
using spec::HelperId;

enum class With : std::uint8_t { Interp, Jit };

std::string name_of(const ::testing::TestParamInfo<With>& info) { return info.param == With::Jit ? "Jit" : "Interp"; }

std::unique_ptr<exec::Executable> load(const World& world, const exec::Source& source, exec::ContextKind context,
                                       With with) {
  auto image = exec::assume_verified(source, context, "test");
  EXPECT_TRUE(image) << (image ? "" : image.error().message);
  if (!image) return nullptr;
  const auto shared = std::make_shared<const exec::Image>(*std::move(image));
  auto program = with == With::Jit ? jit::bind(shared, world) : interp::bind(shared, world, interp::Policy::Plain);
  EXPECT_TRUE(program) << (program ? "" : program.error().message);
  return program ? *std::move(program) : nullptr;
}
std::unique_ptr<exec::Executable> load(const World& world, std::string_view text, With with) {
  return load(world, exec::testing::source(text), exec::ContextKind::Memory, with);
}

class Runs : public ::testing::TestWithParam<With> {
 protected:
  void SetUp() override {
    if (const auto there = jit::available(); !there) GTEST_SKIP() << there.error().message;
    world.add_helper(HelperId::loop, interp::testing::loop_body);
    spec::MapSpec spec = interp::testing::array(4, 4);
    spec.type = spec::MapType::ProgArray;
    slots = &world.add_map(1, spec);
    for (auto* table : {&known_programs, &known_maps})
      for (exec::KnownSlot& slot : *table) slot = &exec::kNothingKnown;
    world.tables = {known_programs.data(), known_maps.data()};
  }
  Outcome run(std::string_view text, MutableBytes memory = {}, std::uint64_t budget = 0) {
    const auto program = load(world, text, GetParam());
    return program ? world.run(*program, memory.data(), memory.size(), budget) : interp::testing::failed();
  }
  // What a reference means, for compiled code to find. Those with even ids it has to ask for.
  void know(std::vector<exec::KnownSlot>& table, std::uint32_t id, const void* object, exec::JumpTarget target = {}) {
    if (id % 2 == 0) return;
    entries.push_back(std::make_unique<exec::Known>(exec::Known{{id, 1}, object, target}));
    table[id % exec::kKnownSlots] = entries.back().get();
  }
  void put(std::uint32_t slot, std::uint32_t id, const exec::Executable& program) {
    world.add_program(id, program);
    know(known_programs, id, &program, program.jump_target);
    if (id % 2 != 0) program.found_as = std::bit_cast<std::uint64_t>(maps::Reference{id, 1});
    EXPECT_EQ(slots->set_reference(reinterpret_cast<const std::byte*>(&slot), {id, 1}, 0, nullptr), 0);
  }
  static void expect_stop(const Outcome& outcome, Failure::Kind kind, std::string_view object) {
    EXPECT_TRUE(outcome.stopped);
    EXPECT_EQ(outcome.failure.kind, kind);
    EXPECT_EQ(outcome.failure.object, object);
  }
  static With other() { return GetParam() == With::Jit ? With::Interp : With::Jit; }
  World world;
  maps::Map* slots = nullptr;
  std::vector<exec::KnownSlot> known_programs{exec::kKnownSlots}, known_maps{exec::kKnownSlots};
  std::vector<std::unique_ptr<exec::Known>> entries;
};
INSTANTIATE_TEST_SUITE_P(Engines, Runs, ::testing::Values(With::Interp, With::Jit), name_of);

constexpr std::string_view kTail = "r2 = map[id:1]\nr3 = 0\ncall bpf_tail_call#12\n";

TEST_P(Runs, SubprogramsHaveTheirOwnFramesAndKeepTheCallersRegisters) {
  EXPECT_EQ(
      run("r6 = 6\nr9 = 9\n*(u64 *)(r10 -8) = 1\ncall pc+5\nr1 = *(u64 *)(r10 -8)\nr0 += r1\nr0 += r6\nr0 += r9\nexit\n"
          "r6 = 0\nr9 = 0\n*(u64 *)(r10 -8) = 100\nr0 = *(u64 *)(r10 -8)\nexit")
          .r0,
      116U);
  EXPECT_EQ(
      run("r1 = r10\nr1 += -16\n*(u64 *)(r10 -16) = 0\ncall pc+2\nr0 = *(u64 *)(r10 -16)\nexit\n*(u64 *)(r1 +0) = "
          "77\nexit")
          .r0,
      77U);
}

TEST_P(Runs, EightFrames) {
  std::string text;
  for (unsigned i = 0; i < 7; ++i) text += "call pc+1\nexit\n";
  EXPECT_EQ(run(text + "r0 = 42\nexit").r0, 42U);
}

TEST_P(Runs, MayGotoEndsALoop) {
  EXPECT_EQ(run("r6 = 0\ncall pc+5\nr6 += r0\ncall pc+3\nr0 += r6\nexit\nexit\nr0 = 0\nmay_goto pc+2\nr0 += 1\ngoto "
                "pc-3\nexit")
                .r0,
            2U * 8 * 1024 * 1024);
}

TEST_P(Runs, WhatNoEngineCanRun) {
  const std::pair<const char*, const char*> cases[] = {
      {"call bpf_ktime_get_ns#5\nexit", "this helper has no body here"},
      {"call kfunc bpf_x#77\nexit", "this kernel function has no body here"},
      {"r1 = 999\ncallx r1\nexit", "this helper has no body here"},
      {"r1 = -1\ncallx r1\nexit", "this helper has no body here"},
      {"call pc+1\nexit\n*(u64 *)(r10 -8) = 1\ncall bpf_ktime_get_ns#5\nexit", "this helper has no body here"},
  };
  for (const auto& [text, expected] : cases)
    for (const std::uint64_t budget : {0, 100}) {
      const Outcome outcome = run(text, {}, budget);
      expect_stop(outcome, Failure::Kind::BadCall, expected);
      EXPECT_EQ(outcome.r0, 0U);
    }
  EXPECT_EQ(run("r0 = 1\nr1 = r0\ncall bpf_ktime_get_ns#5\nexit").failure.insn, 2U);
}

TEST_P(Runs, BudgetEndsALoopAndIsCounted) {
  expect_stop(run("goto pc-1", {}, 1000), Failure::Kind::Budget, "");
  for (const std::uint64_t budget : {4U, 5U, 100U}) {
    const Outcome outcome = run("r0 = 1\nr0 += 1\nr0 += 1\nexit", {}, budget);
    EXPECT_FALSE(outcome.stopped) << budget;
    EXPECT_EQ(outcome.budget, budget - 4);
  }
  const Outcome outcome = run("r0 = 1\nr0 += 1\nr0 += 1\nexit", {}, 3);
  expect_stop(outcome, Failure::Kind::Budget, "");
  EXPECT_EQ(outcome.budget, 0U);
}

TEST_P(Runs, HelpersGetFiveArgumentsAndTheCall) {
  world.add_helper(HelperId::trace_printk, [](exec::Call& call, std::uint64_t a, std::uint64_t b, std::uint64_t c,
                                              std::uint64_t d, std::uint64_t e) noexcept {
    return call.host.now(exec::Clock::Boot) + *reinterpret_cast<const std::uint8_t*>(a) + b * 10 + c * 100 + d * 1000 +
           e * 10000;
  });
  EXPECT_EQ(
      run("*(u64 *)(r10 -8) = 7\nr1 = r10\nr1 += -8\nr2 = 8\nr3 = 3\nr4 = 4\nr5 = 5\ncall bpf_trace_printk#6\nexit").r0,
      1234U + 7 + 80 + 300 + 4000 + 50000);
}

// A lambda would be called by a function of its own, whose frame need not be aligned.
std::uint64_t misalignment(exec::Call&, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t,
                           std::uint64_t) noexcept {
  return reinterpret_cast<std::uint64_t>(__builtin_frame_address(0)) % 16;
}

// Helpers may use instructions that want it.
TEST_P(Runs, TheStackIsAlignedAtCalls) {
  world.add_helper(HelperId::ktime_get_ns, misalignment);
  const std::string_view starts[] = {"",
                                     "r6 = 1\n",
                                     "r6 = 1\nr7 = 1\n",
                                     "*(u64 *)(r10 -8) = 1\n",
                                     "*(u64 *)(r10 -24) = 1\nr6 = 2\n",
                                     "r8 = r10\nr6 = 1\nmay_goto pc+0\n"};
  for (const std::string_view main : starts)
    for (const std::string_view callee : starts) {
      const std::string text = fmt::format("{}call pc+1\nexit\n{}call bpf_ktime_get_ns#5\nexit", main, callee);
      EXPECT_EQ(run(text).r0, 0U) << text;
      EXPECT_EQ(run(text, {}, 100).r0, 0U) << text;
    }
}

// Clocks that show their numbers; one that cannot be read; and how the stack was when they were asked.
std::uint64_t clocks_misalignment = 0;
int read_number(clockid_t clock, timespec* now) {
  clocks_misalignment |= reinterpret_cast<std::uint64_t>(__builtin_frame_address(0)) % 16;
  if (clock == CLOCK_BOOTTIME) return -1;
  *now = {.tv_sec = 0x1'0000'0000 + clock, .tv_nsec = 999'999'999};
  return 0;
}
unsigned clock_helpers = 0;

TEST_P(Runs, ClocksAreTheHosts) {
  const std::tuple<const char*, HelperId, clockid_t> cases[] = {
      {"bpf_ktime_get_ns#5", HelperId::ktime_get_ns, CLOCK_MONOTONIC},
      {"bpf_ktime_get_boot_ns#125", HelperId::ktime_get_boot_ns, CLOCK_BOOTTIME},
      {"bpf_ktime_get_coarse_ns#160", HelperId::ktime_get_coarse_ns, CLOCK_MONOTONIC_COARSE},
      {"bpf_ktime_get_tai_ns#208", HelperId::ktime_get_tai_ns, CLOCK_TAI}};
  for (const auto& [name, id, clock] : cases) {
    world.add_helper(id, helpers::body(std::to_underlying(id)));
    for (const bool is_known : {false, true}) {
      world.reader = is_known ? read_number : nullptr;
      const std::uint64_t shown = clock == CLOCK_BOOTTIME ? 0 : (0x1'0000'0000 + clock) * 1'000'000'000U + 999'999'999;
      // in frames of all shapes
      for (const std::string_view start :
           {"", "r6 = 1\n", "*(u64 *)(r10 -8) = 1\n", "*(u64 *)(r10 -24) = 1\nr6 = 2\n"}) {
        const std::string text =
            fmt::format("{}r7 = 3\ncall pc+2\nr0 += r7\nexit\n{}call {}\nexit", start, start, name);
        for (const std::uint64_t budget : {0, 100})
          EXPECT_EQ(run(text, {}, budget).r0, (is_known ? shown : 1234) + 3) << text;
      }
    }
  }
  EXPECT_EQ(clocks_misalignment, 0U);
  // Compiled code that knows how the Host reads its clock does not ask for it.
  clock_helpers = 0;
  world.add_helper(HelperId::ktime_get_ns,
                   [](exec::Call& call, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t,
                      std::uint64_t) noexcept { return ++clock_helpers, call.host.now(exec::Clock::Monotonic); });
  run("call bpf_ktime_get_ns#5\nexit");
  EXPECT_EQ(clock_helpers, GetParam() == With::Jit ? 0U : 1U);
  world.reader = nullptr;
  run("call bpf_ktime_get_ns#5\nexit");
  EXPECT_EQ(clock_helpers, GetParam() == With::Jit ? 1U : 2U);
}

TEST_P(Runs, CallbacksRunInTheirOwnFrameAndReachTheCallers) {
  const std::string text =
      "*(u64 *)(r10 -8) = 0\nr6 = 5\nr1 = 10\nr2 = subprog[each]\nr3 = r10\nr3 += -8\nr4 = 0\ncall bpf_loop#181\n"
      "r1 = *(u64 *)(r10 -8)\nr0 *= 1000\nr0 += r1\nr0 += r6\nexit\n"
      "each: r6 = 0\nr3 = *(u64 *)(r2 +0)\nr3 += r1\n*(u64 *)(r2 +0) = r3\nr0 = 0\nif r1 < 7 goto pc+1\nr0 = 1\nexit";
  EXPECT_EQ(run(text).r0, 8U * 1000 + 28 + 5);  // the callback ends the loop at index 7
  EXPECT_EQ(run(text, {}, 1000).r0, 8U * 1000 + 28 + 5);
}

// Functions that compiled code writes where they are called.
TEST_P(Runs, SmallFunctionsReturnToTheirCalls) {
  constexpr std::string_view kText =
      "r6 = 0\nr7 = 0\n"
      "next: r1 = r7\nr2 = 5\ncall pick\nr6 *= 3\nr6 += r0\nr1 = r6\nr2 = r7\ncall pick\nr6 += r0\n"
      "r7 += 1\nif r7 != 10 goto next\nr0 = r6\nexit\n"
      "pick: if r1 > r2 goto pc+5\nr0 = r1\nif r1 == r2 goto pc+1\nexit\nr0 += 100\nexit\nr0 = r2\nr0 += 1\nexit\n";
  std::uint64_t sum = 0;
  const auto pick = [](std::uint64_t a, std::uint64_t b) { return a > b ? b + 1 : a == b ? a + 100 : a; };
  for (std::uint64_t i = 0; i < 10; ++i) {
    sum = sum * 3 + pick(i, 5);
    sum += pick(sum, i);
  }
  EXPECT_EQ(run(kText).r0, sum);
}

TEST_P(Runs, SmallFunctionsMayChangeWhatTheyAreGiven) {
  EXPECT_EQ(run("r6 = 1\nr1 = 2\nr2 = 3\nr3 = 4\nr4 = 5\nr5 = 6\ncall sum\nr0 += r6\nexit\n"
                "sum: r1 += r2\nr3 *= r4\nr5 -= r1\nr0 = r3\nr0 <<= 8\nr0 |= r5\nexit\n")
                .r0,
            (20U << 8 | 1U) + 1);
}

TEST_P(Runs, SmallFunctionsInLoopsOfOthers) {
  EXPECT_EQ(run("r1 = 6\nr2 = subprog[each]\nr3 = r10\nr3 += -8\nr4 = 0\n*(u64 *)(r10 -8) = 0\ncall bpf_loop#181\n"
                "r1 = *(u64 *)(r10 -8)\nr0 *= 1000\nr0 += r1\nexit\n"
                "each: r3 = *(u64 *)(r2 +0)\nr3 += r1\n*(u64 *)(r2 +0) = r3\nif r1 == 4 goto pc+2\nr0 = 0\nexit\n"
                "r0 = 1\nexit\n")
                .r0,
            5U * 1000 + 10);
}

// Compiled code has short loops several times in a row: they end in each of the copies.
TEST_P(Runs, ShortLoopsEndWhereTheySay) {
  for (const int times : {1, 2, 3, 4, 5, 6, 7, 8, 9, 30}) {
    const auto expect = [&](std::string_view body, std::uint64_t result) {
      EXPECT_EQ(run(fmt::format(fmt::runtime(body), times)).r0, result) << body << times;
    };
    const auto n = static_cast<std::uint64_t>(times);
    const std::uint64_t sum = n * (n + 1) / 2;
    expect("r0 = 0\nr1 = 0\nnext: r1 += 1\nr0 += r1\nif r1 != {} goto next\nexit\n", sum);
    expect("r0 = 0\nr1 = 0\nnext: r1 += 1\nr0 += r1\nif w1 s< {} goto next\nr0 += r1\nexit\n", sum + n);
    expect("r0 = 0\nr1 = 0\nnext: r1 += 1\nr0 += r1\nif r1 == {} goto pc+1\ngoto next\nexit\n", sum);
    // a break, a way over one instruction, and a jump to the condition
    expect(
        "r0 = 0\nr1 = 0\nnext: r1 += 1\nif r1 == 5 goto pc+3\nr0 += 2\nif r1 != {} goto next\nexit\nr0 += 100\nexit\n",
        n < 5 ? 2 * n : 108);
    expect("r0 = 0\nr1 = 0\nnext: r1 += 1\nif r1 & 1 goto pc+1\nr0 += 10\nr0 += 1\nif r1 != {} goto next\nexit\n",
           n + n / 2 * 10);
    expect("r0 = 0\nr1 = 0\nnext: r1 += 1\nif r1 & 2 goto last\nr0 += 10\nlast: if r1 != {} goto next\nexit\n", [&] {
      std::uint64_t result = 0;
      for (std::uint64_t i = 1; i <= n; ++i) result += (i & 2) != 0 ? 0 : 10;
      return result;
    }());
    // entered in the middle, and one within another
    expect("r0 = 0\nr1 = 0\ngoto pc+1\nnext: r0 += 7\nr1 += 1\nif r1 != {} goto next\nexit\n", 7 * (n - 1));
    expect(
        "r0 = 0\nr1 = 0\nouter: r2 = 0\ninner: r2 += 1\nr0 += r2\nif r2 != 3 goto inner\nr1 += 1\n"
        "if r1 != {} goto outer\nexit\n",
        6 * n);
  }
}

// Compiled code knows a text that nobody can change.
TEST_P(Runs, TextsAreComparedUpToTheirEnd) {
  world.add_helper(HelperId::strncmp, helpers::body(std::to_underlying(HelperId::strncmp)));
  spec::MapSpec spec = interp::testing::array(40, 1, spec::kRdonlyProg);
  maps::Map& map = world.add_map(2, spec);
  const std::string known = "vethernet-12, and more behind it";
  std::memcpy(map.direct_value(), known.c_str(), known.size() + 1);
  ASSERT_EQ(map.freeze(), 0);
  const auto expected = [](std::string_view text, std::string_view other, std::size_t most) {
    const int order = std::strncmp(text.data(), other.data(), most);
    return order == 0 ? 0 : order < 0 ? ~std::uint64_t{0} : std::uint64_t{1};
  };
  for (const unsigned start : {0U, 1U, 10U, 24U, 31U, 32U}) {
    for (const unsigned most : {1U, 2U, 3U, 7U, 8U, 12U, 15U, 33U, 40U}) {
      std::string text = known.substr(start);
      for (std::size_t changed = 0; changed <= std::min<std::size_t>(text.size(), most); ++changed) {
        for (const char c : {'\0', '\x01', 'a', '\xff'}) {
          std::string memory(48, '\x7f');
          std::memcpy(memory.data(), text.c_str(), text.size() + 1);
          if (changed < text.size()) memory[changed] = c;
          const std::string program =
              fmt::format("r2 = {}\nr3 = map[id:2][0]+{}\ncall bpf_strncmp#182\nexit\n", most, start);
          const Outcome outcome = run(program, std::as_writable_bytes(std::span(memory)));
          EXPECT_EQ(outcome.r0, expected(memory, text, most)) << start << ' ' << most << ' ' << changed;
        }
      }
    }
  }
}

// A frame of the same shape is taken over; others are left and made.
TEST_P(Runs, TailCallsFromFramesOfAllShapes) {
  constexpr std::string_view kPrograms[] = {
      "r6 = r1\nr7 = 3\n*(u64 *)(r10 -8) = 40\nr0 = *(u64 *)(r10 -8)\nr0 += r7\nr0 += 2\nexit",
      "r8 = r1\nr9 = 3\n*(u64 *)(r10 -8) = 40\nr0 = *(u64 *)(r10 -8)\nr0 += r9\nr0 += 2\nexit",
      "r6 = r1\nr7 = 3\n*(u64 *)(r10 -200) = 40\nr0 = *(u64 *)(r10 -200)\nr0 += r7\nr0 += 2\nexit",
      "r0 = 45\nexit",
      "call pc+2\nr0 += 5\nexit\nr0 = 40\nexit",
      "call bpf_ktime_get_ns#5\nr6 = 40\nr7 = 5\n*(u64 *)(r10 -8) = r7\nr0 = *(u64 *)(r10 -8)\nr0 += r6\nexit",
      "r0 = 45\nmay_goto +1\nexit\nr0 = 2\nexit",
      "r1 = 1\nr2 = subprog[f]\nr3 = 0\nr4 = 0\ncall bpf_loop#181\nr0 += 44\nexit\nf: r0 = 0\nexit"};
  world.add_helper(HelperId::loop, helpers::body(std::to_underlying(HelperId::loop)));
  world.add_helper(HelperId::ktime_get_ns, helpers::body(std::to_underlying(HelperId::ktime_get_ns)));
  const std::string_view callers[] = {
      "r6 = r1\nr7 = 2\n*(u64 *)(r10 -8) = 1\nr2 = map[id:1]\nr3 = 0\ncall bpf_tail_call#12\nr0 = r7\nexit",
      "r2 = map[id:1]\nr3 = 0\ncall bpf_tail_call#12\nr0 = 1\nexit",
      "r6 = 5\ncall pc+3\nr0 += r6\nr0 -= 5\nexit\nr6 = 1\nr7 = 1\nr2 = map[id:1]\nr3 = 0\ncall bpf_tail_call#12\nr0 = "
      "1\nexit"};
  for (const std::string_view text : kPrograms) {
    const auto target = load(world, text, GetParam());
    ASSERT_NE(target, nullptr);
    entries.clear();
    put(0, 11, *target);
    for (const std::string_view caller : callers) {
      const Outcome outcome = run(caller);
      EXPECT_EQ(outcome.r0, 45U) << caller << "\n->\n" << text;
      EXPECT_EQ(outcome.tail_calls, 1U);
    }
  }
}

TEST_P(Runs, LoopsRefuseFlagsAndTooManyTimes) {
  const auto loop = [&](std::string_view times, std::string_view flags) {
    return static_cast<std::int64_t>(
        run(fmt::format(
                "r6 = 6\nr7 = 7\nr8 = 8\nr1 = {}\nr2 = subprog[each]\nr3 = 0\nr4 = {}\ncall "
                "bpf_loop#181\nif r6 != 6 goto pc+3\nif r7 != 7 goto pc+2\nif r8 != 8 goto pc+1\nexit\nr0 = 99\nexit\n"
                "each: r6 = 0\nr7 = 0\nr8 = 0\nr0 = 0\nexit",
                times, flags))
            .r0);
  };
  EXPECT_EQ(loop("0", "0"), 0);
  EXPECT_EQ(loop("1", "0"), 1);
  EXPECT_EQ(loop("0x700000005 ll", "0"), 5) << "the lower half counts";
  EXPECT_EQ(loop("8388608", "0"), 8388608);
  EXPECT_EQ(loop("8388609", "0"), -E2BIG);
  EXPECT_EQ(loop("-1", "0"), -E2BIG);
  EXPECT_EQ(loop("3", "1"), -EINVAL);
  EXPECT_EQ(loop("-1", "0x100000000 ll"), -EINVAL);
}

TEST_P(Runs, CallbacksNestAndRunOut) {
  EXPECT_EQ(run("r1 = 3\nr2 = subprog[outer]\nr3 = 0\nr4 = 0\ncall bpf_loop#181\nexit\n"
                "outer: r1 = 2\nr2 = subprog[inner]\nr3 = 0\nr4 = 0\ncall bpf_loop#181\nr0 = 0\nexit\n"
                "inner: r0 = 0\nexit")
                .r0,
            3U);
  expect_stop(run("call again\nexit\nagain: r1 = 1\nr2 = subprog[again]\nr3 = 0\nr4 = 0\ncall bpf_loop#181\nexit"),
              Failure::Kind::BadCall, "callbacks nested too deep");
}

TEST_P(Runs, AStopInACallbackStopsTheProgram) {
  const std::string text =
      "r6 = 1\n*(u64 *)(r10 -8) = 1\ncall pc+1\nexit\n"
      "r1 = 10\nr2 = subprog[each]\nr3 = 0\nr4 = 0\ncall bpf_loop#181\nr0 = 7\nexit\n"
      "each: r6 = 9\ncall bpf_ktime_get_ns#5\nexit";
  expect_stop(run(text), Failure::Kind::BadCall, "this helper has no body here");
  expect_stop(
      run("r1 = 1000000\nr2 = subprog[each]\nr3 = 0\nr4 = 0\ncall bpf_loop#181\nexit\neach: r0 = 0\nexit", {}, 5000),
      Failure::Kind::Budget, "");
}

TEST_P(Runs, HelpersMayRunOtherPrograms) {
  world.add_helper(HelperId::ktime_get_ns, [](exec::Call& call, std::uint64_t, std::uint64_t, std::uint64_t,
                                              std::uint64_t, std::uint64_t) noexcept {
    auto& host = static_cast<World&>(call.host);
    return host.run(*host.program({1, 1})).r0;
  });
  for (const With with : {With::Interp, With::Jit}) {
    const auto inner = load(world, "*(u64 *)(r10 -8) = 30\nr0 = *(u64 *)(r10 -8)\nexit", with);
    world.add_program(1, *inner);
    EXPECT_EQ(run("*(u64 *)(r10 -8) = 12\ncall bpf_ktime_get_ns#5\nr1 = *(u64 *)(r10 -8)\nr0 += r1\nexit").r0, 42U);
    const auto stops = load(world, "call bpf_trace_printk#6\nexit", with);
    world.add_program(1, *stops);
    EXPECT_EQ(run("call bpf_ktime_get_ns#5\nr0 += 3\nexit").r0, 3U);
  }
}

// ---- Arrays, which are looked up without a call where the map is known

TEST_P(Runs, ArrayLookups) {
  world.add_helper(HelperId::map_lookup_elem, interp::testing::lookup_body);
  std::uint32_t id = 10;
  for (const auto type : {spec::MapType::Array, spec::MapType::PercpuArray})
    for (const std::uint32_t size : {4U, 8U, 24U, 40U, 72U, 4096U}) {
      spec::MapSpec spec = interp::testing::array(size, 7);
      spec.type = type;
      maps::Map& map = world.add_map(++id, spec);
      for (const std::uint32_t index : {0U, 1U, 6U, 7U, 0x80000000U, 0xffffffffU})
        for (const std::string_view between : {"", "r6 = r1\nr1 = r6\n", "if r3 > 5 goto pc+0\n"}) {
          // followed by something else, and by the question whether there is one
          const std::string text = fmt::format(
              "r7 = 1\nr8 = 2\nw3 = {}\n*(u32 *)(r10 -4) = r3\nr2 = r10\nr2 += -4\nr1 = map[id:{}]\n{}call "
              "bpf_map_lookup_elem#1\nif r7 != 1 goto pc+1\nif r8 == 2 goto pc+1\nr0 = 1\nexit",
              static_cast<std::int32_t>(index), id, between);
          const auto* expected = map.lookup(reinterpret_cast<const std::byte*>(&index), 0);
          EXPECT_EQ(run(text).r0, reinterpret_cast<std::uint64_t>(expected)) << text;
          for (const std::string_view question : {"==", "!="}) {
            const std::string asking = fmt::format(
                "w3 = {}\n*(u32 *)(r10 -4) = r3\nr2 = r10\nr2 += -4\nr1 = map[id:{}]\n{}call bpf_map_lookup_elem#1\n"
                "if r0 {} 0 goto pc+2\nr0 += 1\nexit\nr0 += 2\nexit",
                static_cast<std::int32_t>(index), id, between, question);
            const bool jumps = (expected == nullptr) == (question == "==");
            for (const std::uint64_t budget : {0, 100})
              EXPECT_EQ(run(asking, {}, budget).r0, reinterpret_cast<std::uint64_t>(expected) + (jumps ? 2 : 1))
                  << asking;
          }
        }
    }
}

// And of hash maps and tries, whose functions are called directly.
TEST_P(Runs, LookupsByFunctions) {
  world.add_helper(HelperId::map_lookup_elem, interp::testing::lookup_body);
  std::uint32_t id = 10;
  for (const auto type : {spec::MapType::Hash, spec::MapType::PercpuHash, spec::MapType::LruHash,
                          spec::MapType::LruPercpuHash, spec::MapType::LpmTrie}) {
    spec::MapSpec spec = interp::testing::array(16, 7);
    spec.type = type;
    spec.key_size = 8;
    spec.flags = type == spec::MapType::LpmTrie ? std::uint32_t{spec::kNoPrealloc} : 0U;
    maps::Map& map = world.add_map(++id, spec);
    const std::byte value[16] = {};
    for (const std::uint64_t key : {5, 6}) map.update(reinterpret_cast<const std::byte*>(&key), value, 0, 0);
    for (const std::uint64_t key : {5, 6, 7}) {
      const std::string text = fmt::format(
          "r7 = 1\nr3 = {}\n*(u64 *)(r10 -8) = r3\nr2 = r10\nr2 += -8\nr1 = map[id:{}]\ncall "
          "bpf_map_lookup_elem#1\nif r0 == 0 goto pc+1\nr0 += 3\nr0 += r7\nexit",
          key, id);
      const auto expected = reinterpret_cast<std::uint64_t>(map.lookup(reinterpret_cast<const std::byte*>(&key), 0));
      EXPECT_EQ(run(text).r0, expected + (expected == 0 ? 1 : 4)) << text;
    }
  }
}

TEST_P(Runs, MapsInMaps) {
  world.add_helper(HelperId::map_lookup_elem, [](exec::Call& call, std::uint64_t map, std::uint64_t key, std::uint64_t,
                                                 std::uint64_t, std::uint64_t) noexcept {
    auto& self = *reinterpret_cast<maps::Map*>(map);
    const auto* bytes = reinterpret_cast<const std::byte*>(key);
    if (self.spec().type != spec::MapType::ArrayOfMaps)
      return reinterpret_cast<std::uint64_t>(self.lookup(bytes, call.cpu));
    const maps::Reference reference = self.reference(bytes);
    return reinterpret_cast<std::uint64_t>(reference.id == 0 ? nullptr : call.host.map(reference));
  });
  spec::MapSpec spec = interp::testing::array(4, 4);
  spec.type = spec::MapType::ArrayOfMaps;
  const spec::MapSpec form = interp::testing::array(24, 3);
  maps::Map& outer = world.add_map(50, spec, &form);
  std::uint32_t slot = 0;
  std::vector<maps::Map*> inner;
  for (const auto type : {spec::MapType::Array, spec::MapType::Array, spec::MapType::PercpuArray}) {  // ids 51 to 53
    spec::MapSpec of_inner = interp::testing::array(24, 3 + slot);
    of_inner.type = type;
    inner.push_back(&world.add_map(51 + slot, of_inner));
    know(known_maps, 51 + slot, inner.back());
    ASSERT_EQ(outer.set_reference(reinterpret_cast<const std::byte*>(&slot), {51 + slot, 1}, 0, nullptr), 0);
    ++slot;
  }
  for (std::uint32_t first = 0; first < 6; ++first)
    for (std::uint32_t second = 0; second < 8; ++second) {
      const auto outcome =
          run(fmt::format("r6 = 5\nw3 = {}\n*(u32 *)(r10 -4) = r3\nw3 = {}\n*(u32 *)(r10 -8) = r3\nr2 = r10\nr2 += "
                          "-4\nr1 = map[id:50]\ncall "
                          "bpf_map_lookup_elem#1\nif r0 == 0 goto pc+5\nr1 = r0\nr2 = r10\nr2 += -8\ncall "
                          "bpf_map_lookup_elem#1\nexit\nr0 = "
                          "r6\nexit",
                          first, second));
      const auto* expected =
          first < inner.size() ? inner[first]->lookup(reinterpret_cast<const std::byte*>(&second), 0) : nullptr;
      EXPECT_EQ(outcome.r0, first < inner.size() ? reinterpret_cast<std::uint64_t>(expected) : 5U) << first << second;
    }
}

// ---- Tail calls

TEST_P(Runs, TailCallsGoToTheProgramWithItsContext) {
  std::byte memory[] = {std::byte{99}};
  for (const With with : {GetParam(), other()}) {
    const auto target = load(world, "r0 = *(u8 *)(r1 +0)\nr6 = 5\nexit", with);
    put(0, 7, *target);
    const auto first = load(world, fmt::format("r6 = 3\n{}r0 = 1\nexit", kTail), GetParam());
    for (const std::uint64_t budget : {0, 100}) {
      const Outcome outcome = world.run(*first, memory, 1, budget);
      EXPECT_EQ(outcome.r0, 99U) << outcome.failure.text();
      EXPECT_EQ(outcome.tail_calls, 1U);
      EXPECT_FALSE(outcome.stopped);
      if (with == GetParam()) {
        EXPECT_EQ(outcome.program, target.get());
      }
    }
  }
}

TEST_P(Runs, AStopBehindATailCallEndsTheRun) {
  for (const With with : {GetParam(), other()}) {
    const auto target = load(world, "call bpf_ktime_get_ns#5\nr0 = 7\nexit", with);
    put(0, 7, *target);
    for (const std::string_view caller : {"{}r0 = 1\nexit", "call pc+2\nr0 += 1\nexit\n{}r0 = 1\nexit"}) {
      const auto first = load(world, fmt::format(fmt::runtime(caller), kTail), GetParam());
      for (const std::uint64_t budget : {0, 100}) {
        const Outcome outcome = world.run(*first, {}, 1, budget);
        EXPECT_TRUE(outcome.stopped) << caller;
        EXPECT_EQ(outcome.failure.kind, exec::Failure::Kind::BadCall) << caller;
        EXPECT_EQ(outcome.r0, 0U) << caller;
      }
    }
  }
}

TEST_P(Runs, TailCallsFallThroughWhereThereIsNothing) {
  std::byte memory[] = {std::byte{99}};
  for (const std::string_view index : {"0", "3", "4", "-1"})
    EXPECT_EQ(run(fmt::format("r2 = map[id:1]\nr3 = {}\ncall bpf_tail_call#12\nr0 = 5\nexit", index), memory).r0, 5U);
}

TEST_P(Runs, ThirtyThreeTailCallsInAllAndNoMore) {
  const auto loop = load(world, fmt::format("{}r0 = 5\nexit", kTail), GetParam());
  put(0, 7, *loop);
  EXPECT_EQ(world.run(*loop).tail_calls, 33U);
  // from subprograms too, which return to their callers: 1 each for the frames that ended by exit
  const auto nested = load(world, fmt::format("call pc+2\nr0 += 1\nexit\n{}r0 = 100\nexit", kTail), GetParam());
  put(0, 8, *nested);
  const Outcome outcome = world.run(*nested);
  EXPECT_EQ(outcome.r0, 100U + 34) << outcome.failure.text();
  EXPECT_EQ(outcome.tail_calls, 33U);
}

TEST_P(Runs, ATailCallInASubprogramReplacesOnlyThat) {
  for (const With with : {GetParam(), other()}) {
    const auto target = load(world, "r6 = 1\nr7 = 1\n*(u64 *)(r10 -512) = 3\nr0 = 40\nexit", with);
    put(0, 7, *target);
    const auto first = load(
        world, fmt::format("r6 = 2\ncall pc+2\nr0 += r6\nexit\nr8 = 5\n*(u64 *)(r10 -16) = 1\n{}r0 = 9\nexit", kTail),
        GetParam());
    const Outcome outcome = world.run(*first);
    EXPECT_EQ(outcome.r0, 42U) << outcome.failure.text();
    EXPECT_EQ(outcome.program, first.get());
  }
}

TEST_P(Runs, AStopBehindATailCallStopsTheWholeRun) {
  for (const With with : {GetParam(), other()}) {
    const auto target = load(world, "call bpf_trace_printk#6\nexit", with);
    put(0, 7, *target);
    const auto first = load(world, fmt::format("r6 = 2\ncall pc+2\nr0 += r6\nexit\n{}r0 = 9\nexit", kTail), GetParam());
    for (const std::uint64_t budget : {0, 100})
      expect_stop(world.run(*first, nullptr, 0, budget), Failure::Kind::BadCall, "this helper has no body here");
  }
}

// ---- Packets

TEST_P(Runs, LegacyPacketLoads) {
  std::byte frame[128];
  for (std::size_t i = 0; i < sizeof frame; ++i) frame[i] = static_cast<std::byte>(i);
  packet::SkBuff skb;
  skb.head = frame;
  skb.data = skb.data_meta = frame + 32;
  skb.data_end = frame + 96;
  skb.end = frame + sizeof frame;
  skb.len = 64;
  skb.mac_len = skb.network_offset = 14;
  const std::pair<const char*, std::uint64_t> cases[] = {
      {"r6 = r1\nr0 = *(u16 *)skb[1]\nexit", 0x2122},
      {"r6 = r1\nr0 = *(u32 *)skb[60]\nexit", 0x5c5d5e5f},
      {"r6 = r1\nr0 = *(u32 *)skb[61]\nr0 = 7\nexit", 0},
      {"r6 = r1\nr0 = *(u8 *)skb[-1048576]\nexit", 46},
      {"r6 = r1\nr7 = -1048576\nr0 = *(u8 *)skb[r7 + 1]\nexit", 47},
      {"r6 = r1\nr7 = 0x1000000000000000\nr0 = *(u8 *)skb[r7 + 2]\nexit", 34},
      {"r6 = r1\ncall pc+2\nr0 += 5\nexit\nr6 = r1\nr0 = *(u8 *)skb[99]\nr0 = 7\nexit", 5},
  };
  for (const auto& [text, expected] : cases) {
    const auto program =
        load(world, exec::testing::source(text, spec::ProgType::SchedCls), exec::ContextKind::SkBuff, GetParam());
    for (const std::uint64_t budget : {0, 100})
      EXPECT_EQ(world.run(*program, &skb, sizeof skb, budget).r0, expected) << text;
  }
}

// ---- Signals

World* handlers_world = nullptr;
const exec::Executable* handlers_program = nullptr;
std::uint64_t handlers_result = 0;

TEST_P(Runs, ASignalHandlerRunsAProgramInTheMiddleOfOne) {
  const auto inner = load(world, "r6 = 5\n*(u64 *)(r10 -8) = 37\nr0 = *(u64 *)(r10 -8)\nr0 += r6\nexit", GetParam());
  handlers_world = &world;
  handlers_program = inner.get();
  handlers_result = 0;
  struct sigaction action{}, before{};
  action.sa_handler = [](int) { handlers_result = handlers_world->run(*handlers_program).r0; };
  ASSERT_EQ(::sigaction(SIGUSR1, &action, &before), 0);
  world.add_helper(HelperId::ktime_get_ns,
                   [](exec::Call&, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t) noexcept {
                     ::raise(SIGUSR1);
                     return std::uint64_t{1};
                   });
  EXPECT_EQ(
      run("*(u64 *)(r10 -8) = 2\nr6 = 3\ncall bpf_ktime_get_ns#5\nr1 = *(u64 *)(r10 -8)\nr0 += r1\nr0 += r6\nexit").r0,
      6U);
  EXPECT_EQ(handlers_result, 42U);
  ::sigaction(SIGUSR1, &before, nullptr);
}

}  // namespace
}  // namespace skep::runtime
