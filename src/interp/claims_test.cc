// That the checked policy finds a wrong fact of each kind, and lets a right one pass.
#include "interp/claims.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "interp/testing.h"
#include "packet/xdp_buff.h"

namespace skep::interp {
namespace {

using exec::Failure;
using spec::Fact;
using spec::Facts;
using spec::HelperId;
using Kind = Fact::Kind;
using Reach = Facts::Reach;

constexpr spec::Numbers exactly(std::uint64_t x) {
  const auto low = static_cast<std::uint32_t>(x);
  return {x,
          0,
          x,
          x,
          static_cast<std::int64_t>(x),
          static_cast<std::int64_t>(x),
          low,
          low,
          static_cast<std::int32_t>(low),
          static_cast<std::int32_t>(low)};
}
spec::Numbers below(std::uint64_t limit) {
  spec::Numbers numbers;
  numbers.umax = limit - 1;
  return numbers;
}

// All that is claimed is one fact of one register at one instruction.
std::shared_ptr<const Facts> one_claim(std::size_t insns, std::size_t insn, unsigned reg, Fact fact) {
  Facts facts;
  facts.entries.assign(insns, {.reach = Reach::Anew});
  facts.values.push_back(fact);
  facts.claims.push_back(Facts::Claim::of(reg, 1));
  facts.entries[insn] = {0, 1, Reach::Anew};
  return std::make_shared<const Facts>(facts);
}

class Claims : public ::testing::Test {
 protected:
  Claims() {
    world.add_map(1, testing::array(16, 4));
    world.add_map(2, testing::array(16, 4));
    world.add_helper(HelperId::map_lookup_elem, testing::lookup_body);
  }

  // What the run says when `fact` is claimed; the program gets an XdpBuff.
  std::string told(std::string_view text, std::size_t insn, unsigned reg, const Fact& fact) {
    exec::Source source = exec::testing::source(text, spec::ProgType::Xdp);
    source.facts = one_claim(source.insns.size(), insn, reg, fact);
    const auto program = world.load(source, exec::ContextKind::XdpBuff, Policy::Checked);
    if (!program) return "not loaded";
    packet::XdpBuff buff{};
    buff.data_meta = frame;
    buff.data = frame + 8;
    buff.data_end = frame + sizeof frame;
    const testing::Outcome outcome = world.run(*program, &buff);
    if (!outcome.stopped) return "fine";
    EXPECT_EQ(outcome.failure.kind, Failure::Kind::WrongFact) << outcome.failure.text();
    return fmt::format("@{} {}", outcome.failure.insn,
                       outcome.failure.object.substr(0, outcome.failure.object.find(" is ")));
  }

  std::byte frame[64]{};
  testing::World world;
};

struct Row {
  std::string_view text;
  std::size_t insn;
  unsigned reg;
  Fact right;
  Fact wrong;
};

TEST_F(Claims, RightOnesPassAndWrongOnesAreFound) {
  constexpr std::string_view kLookup =
      "r6 = 1\n*(u32 *)(r10 - 4) = r6\nr2 = r10\nr2 += -4\nr1 = map[id:1]\ncall map_lookup_elem\nr0 += 4\nr0 = 0\nexit";
  constexpr spec::MapId kOne{1}, kTwo{2};
  const Row rows[] = {
      {"r0 = 5\nexit", 1, 0, {Kind::Number, {}, exactly(5)}, {Kind::Number, {}, exactly(6)}},
      {"r0 = 5\nexit", 1, 0, {Kind::Number, {}, below(6)}, {Kind::Number, {}, below(5)}},
      {"r0 = 0\nexit", 0, 1, {Kind::Context, {}, exactly(0)}, {Kind::Context, {}, exactly(4)}},
      {"r0 = 0\nexit", 0, 10, {Kind::Frame, {}, exactly(0)}, {Kind::Frame, {}, exactly(8)}},
      {"r0 = *(u32 *)(r1 + 0)\nr0 += 2\nr0 = 0\nexit",
       2,
       0,
       {Kind::Packet, {}, exactly(2)},
       {Kind::Packet, {}, below(2)}},
      {"r0 = *(u32 *)(r1 + 8)\nr0 = 0\nexit", 1, 0, {Kind::PacketMeta, {}, exactly(0)}, {Kind::Packet, {}, exactly(0)}},
      {"r0 = *(u32 *)(r1 + 4)\nr0 = 0\nexit", 1, 0, {Kind::PacketEnd, {}, {}}, {Kind::Packet, {}, below(8)}},
      {"r0 = *(u32 *)(r1 + 0)\nr0 = 0\nexit", 1, 0, {Kind::Packet, {}, below(9)}, {Kind::PacketEnd, {}, {}}},
      {kLookup, 6, 1, {Kind::Map, kOne, {}}, {Kind::Map, kTwo, {}}},
      {kLookup, 7, 1, {}, {Kind::Map, kOne, {}}},  // it was clobbered
      {kLookup, 7, 0, {Kind::MapValue, kOne, exactly(0)}, {Kind::MapValue, kTwo, exactly(0)}},
      {kLookup, 8, 0, {Kind::MapValue, kOne, exactly(4)}, {Kind::MapValue, kOne, exactly(8)}},
      {kLookup, 8, 0, {Kind::MapValue, kOne, below(5)}, {Kind::MapValue, kOne, below(4)}},
      {kLookup, 7, 0, {Kind::MapValueOrNull, kOne, exactly(0)}, {Kind::MapValueOrNull, kTwo, exactly(0)}},
      {kLookup, 9, 0, {Kind::MapValueOrNull, kOne, exactly(0)}, {Kind::MapValue, kOne, exactly(0)}},  // NULL
      {"r1 = map[id:1]\nr0 = 0\nexit", 2, 1, {Kind::Map, kOne, {}}, {Kind::Map, kTwo, {}}},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(told(row.text, row.insn, row.reg, row.right), "fine") << row.text << describe(row.right);
    EXPECT_EQ(told(row.text, row.insn, row.reg, row.wrong), fmt::format("@{} r{}", row.insn, row.reg))
        << row.text << describe(row.wrong);
  }
}

TEST_F(Claims, AnInstructionThatWasSaidToBeOutOfReach) {
  exec::Source source = exec::testing::source("r0 = 0\nexit");
  Facts facts;
  facts.entries = {{.reach = Reach::Anew}, {}};
  source.facts = std::make_shared<const Facts>(facts);
  const auto program = world.load(source, exec::ContextKind::Memory, Policy::Checked);
  const testing::Outcome outcome = world.run(*program);
  EXPECT_EQ(outcome.failure.kind, Failure::Kind::WrongFact);
  EXPECT_EQ(outcome.failure.text(),
            "prog instruction 1 was reached in a state that the verifier's facts exclude: no path was said to come "
            "here.");
}

TEST_F(Claims, TheSentenceNamesRegisterValueAndClaim) {
  exec::Source source = exec::testing::source("r7 = 9\nr0 = 0\nexit");
  source.facts = one_claim(3, 1, 7, {Kind::Number, {}, exactly(8)});
  const auto program = world.load(source, exec::ContextKind::Memory, Policy::Checked);
  EXPECT_EQ(world.run(*program).failure.text(),
            "prog instruction 1 was reached in a state that the verifier's facts exclude: r7 is 0x9 and was said to be "
            "a number: 0x8.");
}

// The plain policy trusts.
TEST_F(Claims, AreComparedByTheCheckedPolicyOnly) {
  exec::Source source = exec::testing::source("r0 = 5\nexit");
  source.facts = one_claim(2, 1, 0, {Kind::Number, {}, exactly(6)});
  const auto program = world.load(source, exec::ContextKind::Memory, Policy::Plain);
  const testing::Outcome outcome = world.run(*program);
  EXPECT_FALSE(outcome.stopped);
  EXPECT_EQ(outcome.r0, 5U);
}

TEST_F(Claims, FollowTheProgramThroughTailCalls) {
  spec::MapSpec programs = testing::array(4, 1);
  programs.type = spec::MapType::ProgArray;
  maps::Map& table = world.add_map(3, programs);
  exec::Source target = exec::testing::source("r0 = 5\nexit");
  target.facts = one_claim(2, 1, 0, {Kind::Number, {}, exactly(6)});
  const auto called = world.load(target, exec::ContextKind::Memory, Policy::Checked);
  world.add_program(9, *called);
  const std::uint32_t key = 0;
  ASSERT_EQ(table.set_reference(reinterpret_cast<const std::byte*>(&key), {.id = 9, .generation = 1}, 0, nullptr), 0);
  const auto caller = world.load("r2 = map[id:3]\nr3 = 0\ncall tail_call\nr0 = 1\nexit", Policy::Checked);
  const testing::Outcome outcome = world.run(*caller);
  EXPECT_EQ(outcome.failure.kind, Failure::Kind::WrongFact) << outcome.failure.text();
}

// Calls that are said to clobber r0 alone do.
TEST_F(Claims, ACallThatKeepsRegistersKeepsThem) {
  world.add_helper(HelperId::get_smp_processor_id,
                   [](exec::Call&, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t) noexcept {
                     return std::uint64_t{0};
                   });
  for (const Policy policy : {Policy::Plain, Policy::Checked}) {
    const testing::Outcome outcome = world.run("r1 = 7\ncall get_smp_processor_id\nr0 = r1\nexit", policy);
    EXPECT_EQ(outcome.r0, 7U);
  }
}

}  // namespace
}  // namespace skep::interp
