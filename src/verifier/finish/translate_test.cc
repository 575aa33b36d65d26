#include "verifier/finish/translate.h"

#include <gtest/gtest.h>

#include <string>

#include "isa/asm.h"
#include "isa/disasm.h"
#include "spec/helpers.h"

namespace skep::verifier {
namespace {

class HelperNames : public isa::Symbols {
 public:
  std::optional<std::int32_t> helper(std::string_view name) const override {
    const spec::Helper* found = spec::find_helper(name);
    return found ? std::optional(static_cast<std::int32_t>(found->id)) : std::nullopt;
  }
};

std::vector<isa::Insn> assembled(std::string_view text) {
  const auto result = isa::assemble(text, HelperNames());
  EXPECT_TRUE(result) << text;
  return result ? result->insns : std::vector<isa::Insn>{};
}

std::string shown(const std::vector<isa::Insn>& insns, std::vector<ShownFunction> functions = {{0, 8}},
                  const spec::Rewrites& rewrites = {}, std::vector<std::int32_t> casts = {}) {
  const auto result = translate(insns, functions, rewrites, casts);
  if (!result) return "too long";
  isa::PrintOptions options;
  options.index = options.code = isa::Show::No;
  return isa::disassemble(result->insns, isa::no_names(), options);
}
std::string shown(std::string_view program) { return shown(assembled(program)); }

TEST(Translate, MostIsAsItWas) {
  EXPECT_EQ(shown("r0 = 5\nr0 /= 3\nr0 s%= 2\ncall bpf_ktime_get_ns\nexit"),
            "r0 = 5\nr0 /= 3\nr0 s%= 2\ncall unknown#5\nexit\n");
}

TEST(Translate, DivisorsAreGuarded) {
  EXPECT_EQ(shown("r0 /= r1\nexit"), "if r1 != 0x0 goto pc+2\nw0 ^= w0\ngoto pc+1\nr0 /= r1\nexit\n");
  EXPECT_EQ(shown("w0 /= w1\nexit"), "if w1 != 0x0 goto pc+2\nw0 ^= w0\ngoto pc+1\nw0 /= w1\nexit\n");
  EXPECT_EQ(shown("r0 %= r1\nexit"), "if r1 == 0x0 goto pc+1\nr0 %= r1\nexit\n");
  EXPECT_EQ(shown("w0 %= w1\nexit"), "if w1 == 0x0 goto pc+2\nw0 %= w1\ngoto pc+1\nw0 = w0\nexit\n");
}

TEST(Translate, SignedDivisorsAreGuardedAgainstMinusOneToo) {
  EXPECT_EQ(shown("r2 s/= r3\nexit"),
            "r11 = r3\nr11 += 1\nif r11 > 0x1 goto pc+4\nif r11 == 0x0 goto pc+1\nr2 = 0\nr2 = -r2\ngoto pc+1\n"
            "r2 s/= r3\nexit\n");
  EXPECT_EQ(shown("w2 s/= w3\nexit"),
            "r11 = r3\nw11 += 1\nif w11 > 0x1 goto pc+4\nif w11 == 0x0 goto pc+1\nw2 = 0\nw2 = -w2\ngoto pc+1\n"
            "w2 s/= w3\nexit\n");
  EXPECT_EQ(
      shown("r2 s%= r3\nexit"),
      "r11 = r3\nr11 += 1\nif r11 > 0x1 goto pc+3\nif r11 == 0x1 goto pc+3\nw2 = 0\ngoto pc+1\nr2 s%= r3\nexit\n");
  EXPECT_EQ(shown("w2 s%= w3\nexit"),
            "r11 = r3\nw11 += 1\nif w11 > 0x1 goto pc+3\nif w11 == 0x1 goto pc+4\nw2 = 0\ngoto pc+1\nw2 s%= w3\n"
            "goto pc+1\nw2 = w2\nexit\n");
  EXPECT_EQ(shown("r2 s/= -1\nw3 s/= -1\nr4 s%= -1\nexit"), "r2 = -r2\nw3 = -w3\nw4 = 0\nexit\n");
}

TEST(Translate, JumpsGoAroundWhatGrew) {
  EXPECT_EQ(shown("if r1 == 0 goto +1\nr0 /= r1\nexit"),
            "if r1 == 0x0 goto pc+4\nif r1 != 0x0 goto pc+2\nw0 ^= w0\ngoto pc+1\nr0 /= r1\nexit\n");
}

TEST(Translate, MayGotoCountsOnTheStack) {
  EXPECT_EQ(shown("r1 = 1\nmay_goto +1\n*(u64 *)(r10 -8) = r1\nexit"),
            "*(u64 *)(r10 -16) = 8388608\nr1 = 1\nr11 = *(u64 *)(r10 -16)\nif r11 == 0x0 goto pc+3\nr11 -= 1\n"
            "*(u64 *)(r10 -16) = r11\n*(u64 *)(r10 -8) = r1\nexit\n");
  EXPECT_EQ(shown("may_goto +1\ngoto -2\nexit"),
            "*(u64 *)(r10 -16) = 8388608\nr11 = *(u64 *)(r10 -16)\nif r11 == 0x0 goto pc+3\nr11 -= 1\n"
            "*(u64 *)(r10 -16) = r11\ngoto pc-6\nexit\n");
}

TEST(Translate, SmallHelpersAreInTheirPlace) {
  const auto result = translate(assembled("call bpf_get_smp_processor_id\ncall bpf_kptr_xchg\nexit"),
                                std::vector<ShownFunction>{{0, 0}}, {}, {});
  ASSERT_TRUE(result);
  ASSERT_EQ(result->insns.size(), 6U);
  EXPECT_EQ(result->insns[1].off, -1);  // the address of this CPU's
  EXPECT_EQ(result->insns[2].code, 0x61);
  EXPECT_EQ(result->insns[3], isa::Insn(assembled("r0 = r2")[0]));
  EXPECT_EQ(result->insns[4].imm, 0xe1);
  EXPECT_EQ(result->moved, (std::vector<std::uint32_t>{0, 3, 5, 6}));
  EXPECT_EQ(shown(assembled(".insn 0x85, 0, 2, 0, 77\nexit"), {{0, 0}}, {}, {77}), "r0 = r1\nexit\n");
}

TEST(Translate, TheClockIsAVariable) {
  EXPECT_EQ(shown("call bpf_jiffies64\nexit"), "r0 = 0x0\nr0 = *(u64 *)(r0 +0)\nexit\n");
}

TEST(Translate, LoadsFromThePacketAreCalls) {
  const std::string call = "r1 = r6\ncall unknown#0\nif r0 s>= 0x0 goto pc+2\nw0 ^= w0\nexit\n";
  EXPECT_EQ(shown("r0 = *(u8 *)skb[4]\nexit"), "r2 = 4\n" + call + "exit\n");
  EXPECT_EQ(shown("r0 = *(u16 *)skb[r3 + 4]\nexit"), "r2 = r3\nr2 += 4\n" + call + "exit\n");
  EXPECT_EQ(shown("r0 = *(u32 *)skb[r3 + 0]\nexit"), "r2 = r3\n" + call + "exit\n");
}

TEST(Translate, LoopsWithOneCallback) {
  const auto insns = assembled("r2 = subprog[+6]\nr3 = 0\nr4 = 0\ncall bpf_loop\nr0 = 0\nexit\nr0 = 0\nexit");
  EXPECT_EQ(shown(insns, {{0, 8}, {7, 0}}, {.loops = {{4, 7}}, .masks = {}, .barriers = {}}),
            "r2 = subprog[+24]\nr3 = 0\nr4 = 0\nif r1 <= 0x800000 goto pc+2\nw0 = -7\ngoto pc+16\n"
            "*(u64 *)(r10 -32) = r6\n*(u64 *)(r10 -24) = r7\n*(u64 *)(r10 -16) = r8\nr6 = r1\nw7 = 0\nr8 = r3\n"
            "if r7 >= r6 goto pc+5\nr1 = r7\nr2 = r8\ncall pc+1\nr7 += 1\nif r0 == 0x0 goto pc-6\nr0 = r7\n"
            "r6 = *(u64 *)(r10 -32)\nr7 = *(u64 *)(r10 -24)\nr8 = *(u64 *)(r10 -16)\nr0 = 0\nexit\nr0 = 0\nexit\n");
}

TEST(Translate, NumbersAddedToPointersAreMasked) {
  using spec::PointerMask;
  const auto masked = [](std::string_view insn, unsigned how) {
    const PointerMask mask{.insn = 0, .how = static_cast<std::uint8_t>(how), .limit = 15};
    return shown(assembled(std::string(insn) + "\nexit"), {{0, 0}}, {.loops = {}, .masks = {mask}, .barriers = {}});
  };
  const std::string mask = "w11 = 15\nr11 -= r6\nr11 |= r6\nr11 = -r11\nr11 s>>= 63\nr11 &= r6\n";
  EXPECT_EQ(masked("r7 += r6", PointerMask::Source), mask + "r7 += r11\nexit\n");
  EXPECT_EQ(masked("r7 -= r6", PointerMask::Source), mask + "r7 -= r11\nexit\n");
  EXPECT_EQ(masked("r6 += r7", PointerMask::Destination), mask + "r6 = r7\nr6 += r11\nexit\n");
  // What is negative is turned around, and so is the operation; the number is what it was afterwards.
  EXPECT_EQ(masked("r7 += r6", PointerMask::Source | PointerMask::Negative),
            "r6 *= -1\n" + mask + "r7 -= r11\nr6 *= -1\nexit\n");
  EXPECT_EQ(masked("r7 -= r6", PointerMask::Source | PointerMask::Negative),
            "r6 *= -1\n" + mask + "r7 += r11\nr6 *= -1\nexit\n");
  EXPECT_EQ(masked("r6 += r7", PointerMask::Destination | PointerMask::Negative),
            "r6 *= -1\n" + mask + "r6 = r7\nr6 -= r11\nexit\n");
  EXPECT_EQ(masked("r7 += r6", PointerMask::Source | PointerMask::Constant), "w11 = 15\nr7 += r11\nexit\n");
}

TEST(Translate, StoresThatALoadMustNotOvertakeHaveABarrier) {
  EXPECT_EQ(shown(assembled("*(u64 *)(r10 -8) = r1\nr0 = 0\nexit"), {{0, 0}},
                  {.loops = {}, .masks = {}, .barriers = {{0, spec::Barrier::Where::Behind}}}),
            "*(u64 *)(r10 -8) = r1\nBUG_c2\nr0 = 0\nexit\n");
}

TEST(Translate, CalleesAreNumbered) {
  const auto insns = assembled("r2 = subprog[+4]\nr0 /= r1\ncall pc+1\nexit\nexit\nexit");
  const auto result = translate(insns, std::vector<ShownFunction>{{0, 0}, {5, 0}, {6, 0}}, {}, {});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->insns[0].imm, 7);
  EXPECT_EQ(result->insns[1].imm, 1);
  const isa::Insn call = result->insns[6];
  EXPECT_EQ(call.code, 0x85);
  EXPECT_EQ(call.imm, 1);
  EXPECT_EQ(call.off, 1);
}

}  // namespace
}  // namespace skep::verifier
