#include "verifier/finish/finish.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <vector>

#include "isa/asm.h"
#include "isa/disasm.h"
#include "spec/helpers.h"
#include "spec/uapi.h"
#include "verifier/prepare/prepare.h"

namespace skep::verifier {
namespace {

class HelperNames : public isa::Symbols {
 public:
  std::optional<std::int32_t> helper(std::string_view name) const override {
    const spec::Helper* found = spec::find_helper(name);
    return found ? std::optional(static_cast<std::int32_t>(found->id)) : std::nullopt;
  }
};

// A program that was prepared, and whose walk is pretended: all was seen but what `dead` names.
class Walked {
 public:
  explicit Walked(std::string_view text, std::initializer_list<std::size_t> dead = {}, bool privileged = true,
                  std::uint32_t flags = 0)
      : insns_(isa::assemble(text, HelperNames())->insns),
        input_{.type = spec::ProgType::SocketFilter, .insns = insns_, .flags = flags, .rights = {.bpf = privileged}},
        walk(input_, Rules::Linux612) {
    EXPECT_TRUE(find_subprograms(walk) && check_subprograms(walk));
    mark_fastcalls(walk);
    for (InsnInfo& info : walk.info) info.is_seen = true;
    for (const std::size_t index : dead) walk.info[index].is_seen = false;
  }

  std::string finished() {
    spec::VerifiedProgram program;
    if (!finish(walk, program)) return walk.rejection->message;
    functions = program.functions;
    origins = program.origins;
    isa::PrintOptions options;
    options.index = options.code = isa::Show::No;
    return isa::disassemble(program.insns, isa::no_names(), options);
  }
  std::string with_depths(std::initializer_list<std::uint32_t> depths) {
    std::size_t i = 0;
    for (const std::uint32_t depth : depths) walk.subprogs[i++].stack_depth = depth;
    if (check_stack_depth(walk)) return "";
    return walk.rejection->message;
  }

 private:
  std::vector<isa::Insn> insns_;
  spec::VerifyInput input_;

 public:
  Walk walk;
  std::vector<spec::VerifiedFunction> functions;
  std::vector<std::uint32_t> origins;
};

// ---- Superfluous code

TEST(Finish, NothingIsLeftOutOfWhatWasSeen) {
  Walked all("r0 = 1\nif r0 == 1 goto +1\nr0 = 2\nexit");
  EXPECT_EQ(all.finished(), "r0 = 1\nif r0 == 0x1 goto pc+1\nr0 = 2\nexit\n");
  EXPECT_EQ(all.origins, (std::vector<std::uint32_t>{0, 1, 2, 3}));
}

TEST(Finish, BranchesThatGoOneWay) {
  EXPECT_EQ(Walked("r0 = 1\nif r0 == 1 goto +1\nr0 = 2\nexit", {2}).finished(), "r0 = 1\nexit\n");
  EXPECT_EQ(Walked("r0 = 1\nif r0 == 2 goto +2\nr0 = 2\nexit\nr0 = 3\nexit", {4, 5}).finished(),
            "r0 = 1\nr0 = 2\nexit\n");
  EXPECT_EQ(Walked("r0 = 1\nif r0 == 1 goto +2\nr0 = 2\nexit\nr1 = 5 ll\nr0 = 4\nif r1 == 5 goto -4\nexit", {2, 3})
                .finished(),
            "r0 = 1\nr1 = 0x5\nr0 = 4\nif r1 == 0x5 goto pc-4\nexit\n");
}

TEST(Finish, OriginsCountSlots) {
  Walked constant("goto +0\nr1 = 0x500000000 ll\nr0 = 0\nexit");
  EXPECT_EQ(constant.finished(), "r1 = 0x500000000\nr0 = 0\nexit\n");
  EXPECT_EQ(constant.origins, (std::vector<std::uint32_t>{1, 2, 3, 4}));
}

TEST(Finish, FunctionsThatNobodyReachesAreGone) {
  Walked calls("r0 = 1\nif r0 == 1 goto +1\ncall pc+2\ncall pc+3\nexit\nr0 = 0\nexit\nr0 = 2\nexit", {2, 5, 6});
  calls.walk.subprogs[2].name = "used";
  EXPECT_EQ(calls.finished(), "r0 = 1\ncall pc+1\nexit\nr0 = 2\nexit\n");
  ASSERT_EQ(calls.functions.size(), 2U);
  EXPECT_EQ(calls.functions[1].start, 3U);
  EXPECT_EQ(calls.functions[1].given, 2U);
  EXPECT_EQ(calls.functions[1].name, "used");
}

TEST(Finish, AddressesOfFunctionsThatAreGone) {
  constexpr std::string_view kTail = "r0 = 0\nexit\nr0 = 1\nexit";
  // Not main alone is left: there is no code to point at.
  EXPECT_EQ(Walked(fmt::format("call pc+4\nr1 = subprog[+5]\n{}\nr0 = 2\nexit", kTail), {7, 8}).finished(),
            "verifier bug. No program starts at insn 7");
  EXPECT_EQ(Walked(fmt::format("r1 = subprog[+3]\n{}", kTail), {4, 5}).finished(), "r1 = 0x0\nr0 = 0\nexit\n");
  EXPECT_EQ(Walked(fmt::format("r1 = subprog[+3]\n{}", kTail)).finished(),
            fmt::format("r1 = subprog[+3]\n{}\n", kTail));
}

TEST(Finish, UpperHalvesThatNobodyReliesOnAreFilledOnDemand) {
  constexpr std::string_view kHalves = "w0 = 1\nw1 = w0\nr2 = r1\nif w1 > 0 goto -3\nexit";
  Walked walked(kHalves);
  walked.walk.info[1].zero_extends = true;
  EXPECT_EQ(walked.finished(), "w0 = 1\nw1 = w0\nr2 = r1\nif w1 > 0x0 goto pc-3\nexit\n");
  Walked filled(kHalves, {}, true, spec::kTestRndHi32);
  filled.walk.info[1].zero_extends = true;
  EXPECT_EQ(
      filled.finished(),
      "w0 = 1\nr0 = bswap64 r0\nr0 |= 506952121\nr0 = bswap64 r0\nw1 = w0\nr2 = r1\nif w1 > 0x0 goto pc-3\nexit\n");
  EXPECT_EQ(filled.origins, (std::vector<std::uint32_t>{0, 0, 0, 0, 1, 2, 3, 4}));
  // Memory of the context is loaded as its model has it.
  Walked loads("r1 = *(u32 *)(r1 +0)\nexit", {}, true, spec::kTestRndHi32);
  loads.walk.info[0].accessed = Kind::Context;
  EXPECT_EQ(loads.finished(), "r1 = *(u32 *)(r1 +0)\nexit\n");
}

TEST(Finish, TheUnprivilegedKeepTheirDeadCodeAsTraps) {
  EXPECT_EQ(Walked("r0 = 1\nif r0 == 1 goto +1\nr0 = 2\nexit", {2}, false).finished(),
            "r0 = 1\nif r0 == 0x1 goto pc+1\ngoto pc-1\nexit\n");
}

TEST(Finish, RegistersAreNotKeptAroundCallsThatKeepThem) {
  Walked call("r1 = 1\n*(u64 *)(r10 -16) = r1\ncall bpf_get_smp_processor_id\nr1 = *(u64 *)(r10 -16)\nexit");
  call.walk.subprogs[0].stack_depth = 16;
  EXPECT_EQ(call.finished(), "r1 = 1\ncall unknown#8\nexit\n");
  EXPECT_EQ(call.walk.subprogs[0].stack_depth, 8U);
}

// ---- Tail calls

TEST(Finish, TailCallsThroughArraysOfTheUnprivilegedAreGuarded) {
  const std::string_view program = "r0 = 0\ncall bpf_tail_call\nexit";
  const spec::MapView array{.spec = {.type = spec::MapType::ProgArray, .max_entries = 6}};
  Walked one(program);
  one.walk.maps = {&array};
  one.walk.info[1].map = 1;
  EXPECT_EQ(one.finished(), "r0 = 0\ncall unknown#12\nexit\n");
  one.walk.info[1].is_map_guarded = true;
  EXPECT_EQ(one.finished(), "r0 = 0\nif r3 >= 0x6 goto pc+2\nw3 &= 7\ncall unknown#12\nexit\n");
  EXPECT_EQ(one.origins, (std::vector<std::uint32_t>{0, 1, 1, 1, 2}));
  one.walk.info[1].map = InsnInfo::kSeveral;
  EXPECT_EQ(one.finished(), "tail_call abusing map_ptr");
  one.walk.info[1].is_map_guarded = false;
  EXPECT_EQ(one.finished(), "r0 = 0\ncall unknown#12\nexit\n");
}

// ---- The stack

constexpr std::string_view kTwo = "call pc+1\nexit\nr0 = 0\nexit";

TEST(StackDepth, FramesAreRoundedAndAddedUp) {
  EXPECT_EQ(Walked(kTwo).with_depths({16, 496}), "");
  EXPECT_EQ(Walked(kTwo).with_depths({24, 480}), "");
  EXPECT_EQ(Walked(kTwo).with_depths({24, 496}), "combined stack size of 2 calls is 528. Too large");
  EXPECT_EQ(Walked("r0 = 0\nexit").with_depths({520}), "combined stack size of 1 calls is 528. Too large");
}

TEST(StackDepth, EveryChainCountsEvenIfNobodyWalkedIt) {
  std::string chain;
  for (int i = 0; i < 8; ++i) chain += "r0 = 0\ncall pc+1\nexit\n";
  EXPECT_EQ(Walked(chain + "r0 = 0\nexit").with_depths({}), "the call stack of 8 frames is too deep !");
  EXPECT_EQ(Walked("r0 = 0\nif r0 == 0 goto +1\ncall pc-3\nexit").with_depths({}),
            "the call stack of 8 frames is too deep !");
}

TEST(StackDepth, TailCallsNeedRoomBelow) {
  const std::string_view program = "call pc+1\nexit\ncall bpf_tail_call\nr0 = 0\nexit";
  Walked fits(program);
  EXPECT_EQ(fits.with_depths({248, 8}),
            "tail_calls are not allowed when call stack of previous frames is 256 bytes. Too large");
  Walked reaches(program);
  EXPECT_EQ(reaches.with_depths({240, 8}), "");
  EXPECT_TRUE(reaches.walk.subprogs[0].tail_call_reachable);
}

TEST(StackDepth, CallbacksOfLaterHaveAStackOfTheirOwn) {
  const std::string_view program = "r2 = subprog[+4]\ncall bpf_timer_set_callback\nr0 = 0\nexit\nr0 = 0\nexit";
  Walked later(program);
  later.walk.subprogs[1].is_async_callback = true;
  EXPECT_EQ(later.with_depths({512, 512}), "");
  EXPECT_EQ(Walked(program).with_depths({512, 16}), "combined stack size of 2 calls is 528. Too large");
}

// 8 levels of functions that call the next one a hundred times: 10^14 chains.
TEST(StackDepth, ManyChainsTakeNoTime) {
  std::string text;
  for (int level = 0; level < 7; ++level) {
    for (int i = 0; i < 100; ++i) text += "call pc+" + std::to_string(100 - i) + "\n";
    text += "exit\n";
  }
  EXPECT_EQ(Walked(text + "r0 = 0\nexit").with_depths({16, 16, 16, 16, 16, 16, 16, 16}), "");
}

}  // namespace
}  // namespace skep::verifier
