#include "verifier/facts/facts.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "isa/op.h"
#include "spec/helpers.h"
#include "verifier/testing_programs.h"

namespace skep::verifier {
namespace {

using spec::Fact;
using Kind = Fact::Kind;

// A program as if it had been verified, with an array of id 7 of 16-byte values for each instruction that names a map.
class Verified {
 public:
  explicit Verified(std::string_view text, spec::ProgType type = spec::ProgType::Xdp) {
    program_.insns = testing::assembled(text);
    map_.id = spec::MapId{7};
    map_.spec = {.type = spec::MapType::Array, .key_size = 4, .value_size = 16, .max_entries = 1};
    std::set<std::uint32_t> starts{0};
    for (std::uint32_t i = 0; i < program_.insns.size(); ++i) {
      program_.origins.push_back(i);
      const isa::Insn& insn = program_.insns[i];
      const isa::Op op = isa::decode(insn);
      if (const auto function = isa::subprog_target(op, insn, i)) starts.insert(static_cast<std::uint32_t>(*function));
      if (op == isa::Op::LdMapFd || op == isa::Op::LdMapValue) uses_.push_back({.insn = i, .map = 0, .fd = 7});
    }
    for (const std::uint32_t start : starts) program_.functions.push_back({.start = start});
    input_ = {.type = type, .insns = program_.insns, .maps = {&map_, 1}, .map_uses = uses_, .possible_cpus = 4};
  }
  spec::MapView& map() { return map_; }
  spec::VerifiedProgram& program() { return program_; }
  spec::Facts facts() const { return find_facts(input_, program_); }
  // "a number: 0x1 to 0x5" of a register on entry to the instruction at `insn`; "never" where no path comes.
  std::string at(std::size_t insn, unsigned reg) const {
    const spec::Facts found = facts();
    return found.reached(insn) ? describe(found.at(insn, reg)) : "never";
  }

 private:
  spec::MapView map_;
  spec::VerifiedProgram program_;
  std::vector<spec::MapUse> uses_;
  spec::VerifyInput input_;
};

struct Case {
  std::string_view name;
  std::string_view text;
  std::size_t insn;
  unsigned reg;
  std::string_view fact;
  spec::ProgType type = spec::ProgType::Xdp;
};

// What one register holds on entry to one instruction.
const Case kCases[] = {
    {"entry: the context", "r0 = 0\nexit", 0, 1, "the context"},
    {"entry: the frame pointer", "r0 = 0\nexit", 0, 10, "the frame pointer"},
    {"entry: the others", "r0 = 0\nexit", 0, 6, "anything"},
    {"an extension is entered with what it replaces is", "r0 = 0\nexit", 0, 1, "anything", spec::ProgType::Ext},

    {"a constant", "r0 = -1\nexit", 1, 0, "a number: 0xffffffffffffffff"},
    {"a constant of 32 bits", "w0 = -1\nexit", 1, 0, "a number: 0xffffffff"},
    {"a constant of 64 bits", "r0 = 0x1234567890 ll\nexit", 2, 0, "a number: 0x1234567890"},
    {"arithmetic of constants", "r0 = 6\nr0 *= 7\nexit", 2, 0, "a number: 0x2a"},
    {"a mask", "r0 = *(u32 *)(r1 + 12)\nr0 &= 7\nexit", 2, 0,
     "a number: 0x0 to 0x7, low half 0x0 to 0x7, signed low half 0 to 7, bits 0x0/0x7"},
    {"a quotient", "r0 = *(u8 *)(r10 - 1)\nr0 /= 10\nr0 += 0\nexit", 2, 0,
     "a number: 0x0 to 0x19, low half 0x0 to 0x19, signed low half 0 to 25, bits 0x0/0x1f"},
    {"a remainder", "r0 = *(u32 *)(r1 + 12)\nr0 %= 5\nexit", 2, 0,
     "a number: 0x0 to 0x4, low half 0x0 to 0x4, signed low half 0 to 4, bits 0x0/0x7"},
    {"32 bits clear the upper half", "r0 = *(u64 *)(r10 - 8)\nw0 s/= 3\nexit", 2, 0,
     "a number: 0x0 to 0xffffffff, bits 0x0/0xffffffff"},
    {"byte order", "r0 = *(u64 *)(r10 - 8)\nr0 = be16 r0\nexit", 2, 0,
     "a number: 0x0 to 0xffff, low half 0x0 to 0xffff, signed low half 0 to 65535, bits 0x0/0xffff"},
    {"a sign-extending load", "r0 = *(s8 *)(r10 - 1)\nexit", 1, 0,
     "a number: 0x0 to 0xffffffffffffffff, signed -128 to 127, signed low half -128 to 127"},

    {"a pointer to the stack", "r2 = r10\nr2 += -8\nr0 = 0\nexit", 2, 2, "the frame pointer -8"},
    {"a number and a pointer", "r2 = -8\nr2 += r10\nr0 = 0\nexit", 2, 2, "the frame pointer -8"},
    {"a pointer less a number", "r2 = r10\nr2 -= 8\nr0 = 0\nexit", 2, 2, "the frame pointer -8"},
    {"the difference of two pointers", "r2 = r10\nr2 += -8\nr3 = r10\nr3 -= r2\nr0 = 0\nexit", 4, 3, "a number: 0x8"},
    {"other arithmetic on pointers", "r2 = r10\nr2 &= 7\nr0 = 0\nexit", 2, 2,
     "a number: 0x0 to 0x7, low half 0x0 to 0x7, signed low half 0 to 7, bits 0x0/0x7"},
    {"half a pointer", "w2 = w10\nr0 = 0\nexit", 1, 2, "a number: 0x0 to 0xffffffff, bits 0x0/0xffffffff"},

    {"the packet", "r2 = *(u32 *)(r1 + 0)\nr0 = 0\nexit", 1, 2, "the packet"},
    {"into the packet", "r2 = *(u32 *)(r1 + 0)\nr2 += 14\nr0 = 0\nexit", 2, 2, "the packet +14"},
    {"the end of the packet", "r2 = *(u32 *)(r1 + 4)\nr0 = 0\nexit", 1, 2, "the packet's end"},
    {"the metadata", "r2 = *(u32 *)(r1 + 8)\nr0 = 0\nexit", 1, 2, "the packet's metadata"},
    {"a field of the context", "r2 = *(u32 *)(r1 + 12)\nr0 = 0\nexit", 1, 2,
     "a number: 0x0 to 0xffffffff, bits 0x0/0xffffffff"},
    {"4 bytes that may be a packet pointer", "r2 = *(u64 *)(r10 - 8)\nr2 = *(u32 *)(r2 + 0)\nr0 = 0\nexit", 2, 2,
     "anything"},
    {"a helper that moves the packet", "r6 = *(u32 *)(r1 + 0)\nr2 = 0\ncall xdp_adjust_head\nr0 = 0\nexit", 3, 6,
     "anything"},
    {"a function that moves the packet",
     "r6 = *(u32 *)(r1 + 0)\ncall pc+2\nr0 = 0\nexit\nr2 = 0\ncall xdp_adjust_head\nr0 = 0\nexit", 2, 6, "anything"},

    {"a map", "r1 = map[fd:7]\nr0 = 0\nexit", 2, 1, "map 7"},
    {"a value by address", "r1 = map[fd:7][0]+4\nr0 = 0\nexit", 2, 1, "a value of map 7 +4"},
    {"a lookup", "r1 = map[fd:7]\ncall map_lookup_elem\nr0 = 0\nexit", 3, 0, "a value of map 7 or NULL"},
    {"a lookup that found", "r1 = map[fd:7]\ncall map_lookup_elem\nif r0 == 0 goto pc+1\nr0 = 0\nexit", 4, 0,
     "a value of map 7"},
    {"a lookup that did not", "r1 = map[fd:7]\ncall map_lookup_elem\nif r0 != 0 goto pc+1\nr0 += 1\nexit", 4, 0,
     "a number: 0x0"},
    {"a lookup, its null side joined", "r1 = map[fd:7]\ncall map_lookup_elem\nif r0 == 0 goto pc+1\nr6 = 0\nexit", 5, 0,
     "a value of map 7 or NULL"},

    {"a branch taken", "r0 = *(u8 *)(r10 - 1)\nif r0 > 5 goto pc+1\nr0 += 0\nexit", 2, 0,
     "a number: 0x0 to 0x5, low half 0x0 to 0x5, signed low half 0 to 5, bits 0x0/0x7"},
    {"a branch that is never taken", "r0 = 1\nif r0 == 2 goto pc+1\nexit\nexit", 3, 0, "never"},
    {"a join", "r0 = *(u8 *)(r10 - 1)\nif r0 == 0 goto pc+2\nr0 = 4\ngoto pc+1\nr0 = 6\nexit", 5, 0,
     "a number: 0x4 to 0x6, low half 0x4 to 0x6, signed low half 4 to 6, bits 0x4/0x2"},
    {"a comparison of a register with itself", "r0 = *(u8 *)(r10 - 1)\nif r0 > r0 goto pc+1\nexit\nexit", 3, 0,
     "a number: 0x0 to 0xff, low half 0x0 to 0xff, signed low half 0 to 255, bits 0x0/0xff"},

    {"a loop's counter", "r0 = 0\nr0 += 1\nif r0 < 10 goto pc-2\nexit", 1, 0,
     "a number: 0x0 to 0x9, low half 0x0 to 0x9, signed low half 0 to 9, bits 0x0/0xf"},
    {"behind a loop", "r0 = 0\nr0 += 1\nif r0 < 10 goto pc-2\nexit", 3, 0, "a number: 0xa"},
    {"what a loop leaves alone", "r6 = 5\nr0 = 0\nr0 += 1\nif r0 < 10 goto pc-2\nexit", 4, 6, "a number: 0x5"},
    {"a packet pointer in a loop that moves the packet",
     "r6 = *(u32 *)(r1 + 0)\nr7 = r1\nr1 = r7\nr2 = 0\ncall xdp_adjust_head\nif r0 == 0 goto pc-4\nexit", 2, 6,
     "anything"},
    {"a packet pointer in a loop that does not",
     "r6 = *(u32 *)(r1 + 0)\nr7 = r1\nr1 = r7\ncall ktime_get_ns\nif r0 == 0 goto pc-3\nexit", 2, 6, "the packet"},
    {"may_goto goes either way", "r0 = 0\nmay_goto pc+2\nr0 = 1\ngoto pc+0\nexit", 4, 0,
     "a number: 0x0 to 0x1, low half 0x0 to 0x1, signed low half 0 to 1, bits 0x0/0x1"},
    {"gotol", "r0 = 3\ngotol pc+1\nr0 = 4\nexit", 2, 0, "never"},

    {"a spill", "*(u64 *)(r10 - 8) = r1\nr2 = *(u64 *)(r10 - 8)\nr0 = 0\nexit", 2, 2, "the context"},
    {"a constant on the stack", "*(u64 *)(r10 - 8) = 3\nr2 = *(u64 *)(r10 - 8)\nr0 = 0\nexit", 2, 2, "a number: 0x3"},
    {"a spill that was overwritten in part",
     "*(u64 *)(r10 - 8) = r1\n*(u8 *)(r10 - 1) = 0\nr2 = *(u64 *)(r10 - 8)\nr0 = 0\nexit", 3, 2, "anything"},
    {"a spill beside a write", "*(u64 *)(r10 - 8) = r1\n*(u64 *)(r10 - 16) = 0\nr2 = *(u64 *)(r10 - 8)\nr0 = 0\nexit",
     3, 2, "the context"},
    {"a spill and a write through a pointer",
     "*(u64 *)(r10 - 8) = r1\nr3 = *(u64 *)(r10 - 16)\n*(u8 *)(r3 + 0) = 0\nr2 = *(u64 *)(r10 - 8)\nr0 = 0\nexit", 4, 2,
     "anything"},
    {"a spill and a write somewhere in the stack",
     "*(u64 *)(r10 - 8) = 3\nr3 = *(u8 *)(r10 - 16)\nr3 += r10\n*(u8 *)(r3 - 256) = 0\nr2 = *(u64 *)(r10 - 8)\nr0 = "
     "0\nexit",
     5, 2, "anything"},
    {"a spill and a write to the packet",
     "*(u64 *)(r10 - 8) = r1\nr3 = *(u32 *)(r1 + 0)\n*(u8 *)(r3 + 0) = 0\nr2 = *(u64 *)(r10 - 8)\nr0 = 0\nexit", 4, 2,
     "the context"},
    {"a spill and an atomic operation",
     "*(u64 *)(r10 - 8) = 3\nr2 = 1\nlock *(u64 *)(r10 - 8) += r2\nr2 = *(u64 *)(r10 - 8)\nr0 = 0\nexit", 4, 2,
     "anything"},
    {"a spill on one path only",
     "r0 = *(u8 *)(r10 - 32)\n*(u64 *)(r10 - 8) = 3\nif r0 == 0 goto pc+1\n*(u64 *)(r10 - 8) = 4\nr2 = *(u64 *)(r10 - "
     "8)\nr0 = 0\nexit",
     5, 2, "a number: 0x3 to 0x4, low half 0x3 to 0x4, signed low half 3 to 4, bits 0x0/0x7"},
    {"a spill and a helper that writes it",
     "*(u64 *)(r10 - 8) = 3\nr1 = r10\nr1 += -8\nr2 = 4\ncall get_current_comm\nr2 = *(u64 *)(r10 - 8)\nr0 = 0\nexit",
     6, 2, "anything"},
    {"a spill and a helper that writes below it",
     "*(u64 *)(r10 - 8) = 3\nr1 = r10\nr1 += -24\nr2 = 16\ncall get_current_comm\nr2 = *(u64 *)(r10 - 8)\nr0 = 0\nexit",
     6, 2, "a number: 0x3"},
    {"a spill and a helper that writes where a number says",
     "*(u64 *)(r10 - 8) = 3\nr1 = r10\nr2 = r10\nr2 += -64\nr3 = 8\ncall probe_write_user\nr2 = *(u64 *)(r10 - "
     "8)\nr0 = 0\nexit",
     7, 2, "anything"},
    {"a spill and a helper that reads it",
     "*(u64 *)(r10 - 8) = 3\nr2 = r10\nr2 += -8\nr1 = map[fd:7]\ncall map_lookup_elem\nr2 = *(u64 *)(r10 - 8)\nr0 = "
     "0\nexit",
     7, 2, "a number: 0x3"},
    {"a spill and a function that is given its address",
     "*(u64 *)(r10 - 8) = 3\nr1 = r10\ncall pc+3\nr2 = *(u64 *)(r10 - 8)\nr0 = 0\nexit\nr0 = 0\nexit", 4, 2,
     "anything"},
    {"a spill and a function that is given a number",
     "*(u64 *)(r10 - 8) = 3\nr1 = 5\ncall pc+3\nr2 = *(u64 *)(r10 - 8)\nr0 = 0\nexit\nr0 = 0\nexit", 4, 2,
     "a number: 0x3"},

    {"an atomic fetch of 32 bits", "r0 = 1\nr0 = atomic_fetch_add((u32 *)(r10 - 8), r0)\nexit", 2, 0,
     "a number: 0x0 to 0xffffffff, bits 0x0/0xffffffff"},
    {"an atomic fetch of 64 bits", "r0 = 1\nr0 = atomic64_fetch_add((u64 *)(r10 - 8), r0)\nexit", 2, 0, "anything"},
    {"a packet load", "r6 = r1\nr0 = *(u8 *)skb[3]\nexit", 2, 0,
     "a number: 0x0 to 0xff, low half 0x0 to 0xff, signed low half 0 to 255, bits 0x0/0xff",
     spec::ProgType::SocketFilter},
    {"what a packet load clobbers", "r6 = r1\nr1 = 0\nr0 = *(u8 *)skb[3]\nexit", 3, 1, "anything",
     spec::ProgType::SocketFilter},

    {"what a call clobbers", "r1 = 5\ncall ktime_get_ns\nexit", 2, 1, "anything"},
    {"what a call keeps", "r6 = 5\ncall ktime_get_ns\nexit", 2, 6, "a number: 0x5"},
    {"a call that clobbers nothing", "r1 = 5\ncall get_smp_processor_id\nexit", 2, 1, "a number: 0x5"},
    {"a number of a CPU", "call get_smp_processor_id\nexit", 1, 0,
     "a number: 0x0 to 0x3, low half 0x0 to 0x3, signed low half 0 to 3, bits 0x0/0x3"},

    {"an argument of all callers", "r1 = 4\ncall pc+3\nr1 = 6\ncall pc+1\nexit\nr0 = r1\nexit", 5, 1,
     "a number: 0x4 to 0x6, low half 0x4 to 0x6, signed low half 4 to 6, bits 0x4/0x2"},
    {"a caller's stack", "r1 = r10\ncall pc+1\nexit\nr0 = 0\nexit", 3, 1, "anything"},
    {"a function's own frame", "r1 = r10\ncall pc+1\nexit\nr0 = 0\nexit", 3, 10, "the frame pointer"},
    {"the context passed on", "call pc+1\nexit\nr0 = 0\nexit", 2, 1, "the context"},
    {"a result of a function", "call pc+1\nexit\nr0 = 0\nexit", 1, 0, "anything"},
    {"a caller's saved register", "r6 = 5\ncall pc+1\nexit\nr0 = 0\nexit", 2, 6, "a number: 0x5"},
    {"saved registers are none of the callee's", "r6 = 5\ncall pc+1\nexit\nr0 = 0\nexit", 3, 6, "anything"},
    {"a callback's argument", "r2 = subprog[+4]\nr1 = 4\nr0 = 0\nexit\nr0 = r1\nexit", 5, 1, "anything"},
};

TEST(Facts, OneRegisterAtOneInstruction) {
  for (const Case& c : kCases) EXPECT_EQ(Verified(c.text, c.type).at(c.insn, c.reg), c.fact) << c.name;
}

TEST(Facts, AGuardMakesADivisorDifferFromZero) {
  const Verified program("r0 = *(u64 *)(r10 - 8)\nif r0 == 0 goto pc+2\nr1 = 7\nr1 /= r0\nr0 = 0\nexit");
  EXPECT_TRUE(program.facts().at(3, 0).numbers.excludes_zero());
  EXPECT_FALSE(program.facts().at(1, 0).numbers.excludes_zero());
  const Verified half("r0 = *(u64 *)(r10 - 8)\nif w0 == 0 goto pc+2\nr1 = 7\nw1 /= w0\nr0 = 0\nexit");
  EXPECT_TRUE(half.facts().at(3, 0).numbers.low_excludes_zero());
  EXPECT_FALSE(half.facts().at(1, 0).numbers.low_excludes_zero());
}

TEST(Facts, AValueThatCannotChangeIsAConstant) {
  std::array<std::byte, 16> bytes{};
  bytes[4] = std::byte{0xfe};
  Verified program("r1 = map[fd:7][0]+0\nr2 = *(u32 *)(r1 + 4)\nr3 = *(s8 *)(r1 + 4)\nr0 = 0\nexit");
  EXPECT_EQ(program.at(3, 2), "a number: 0x0 to 0xffffffff, bits 0x0/0xffffffff");
  program.map().frozen = bytes;
  EXPECT_EQ(program.at(3, 2), "a number: 0xfe");
  EXPECT_EQ(program.at(4, 3), "a number: 0xfffffffffffffffe");
  program.map().spec.max_entries = 2;  // it may be the second's
  EXPECT_EQ(program.at(3, 2), "a number: 0x0 to 0xffffffff, bits 0x0/0xffffffff");
}

TEST(Facts, WhatAMapOfMapsHoldsIsNoValue) {
  Verified program("r1 = map[fd:7]\ncall map_lookup_elem\nr0 = 0\nexit");
  program.map().spec.type = spec::MapType::ArrayOfMaps;
  EXPECT_EQ(program.at(3, 0), "anything");
}

TEST(Facts, AnExceptionCallbackIsEnteredWithAnything) {
  Verified program("r1 = 4\ncall pc+1\nexit\nr0 = r1\nexit");
  EXPECT_EQ(program.at(3, 1), "a number: 0x4");
  program.program().functions[1].is_exception_callback = true;
  EXPECT_EQ(program.at(3, 1), "anything");
}

// Two loops in one another, the inner one's end depends on the outer one's counter.
TEST(Facts, NestedLoopsEnd) {
  const Verified program(R"(
    r6 = 0
    r7 = 0
    r7 += 1
    if r7 < r6 goto pc-2
    r6 += 4
    if r6 < 100 goto pc-5
    r0 = 0
    exit)");
  const Fact outer = program.facts().at(4, 6), behind = program.facts().at(6, 6);
  EXPECT_EQ(outer.numbers.umax, 99U);
  EXPECT_EQ(outer.numbers.unknown & 3, 0U);  // it stays a multiple of 4
  EXPECT_GE(behind.numbers.umin, 100U);
  EXPECT_LE(behind.numbers.umax, 103U);
}

}  // namespace
}  // namespace skep::verifier
