// The bytes of hardened code: no constant of the program in them, no indirect branch but through a retpoline, barriers
// where they were asked for.
#include <Zydis/Zydis.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <set>

#include "exec/random_program.h"
#include "exec/testing.h"
#include "interp/testing.h"
#include "isa/disasm.h"
#include "jit/jit.h"
#include "verifier/explore/verify.h"

namespace skep::jit {
namespace {

using exec::testing::RandomProgram;

struct Decoded {
  std::size_t offset = 0;
  ZydisDecodedInstruction insn;
  std::array<ZydisDecodedOperand, ZYDIS_MAX_OPERAND_COUNT> operands;
};

// All of it: code has no data between instructions, tables come behind.
std::vector<Decoded> decoded(std::span<const std::byte> code) {
  ZydisDecoder decoder;
  ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
  std::vector<Decoded> all;
  for (std::size_t at = 0; at < code.size(); at += all.back().insn.length) {
    Decoded one;
    one.offset = at;
    const auto rest = code.subspan(at);
    const bool good =
        ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, rest.data(), rest.size(), &one.insn, one.operands.data()));
    EXPECT_TRUE(good) << "byte " << at;
    if (!good) break;
    all.push_back(one);
  }
  return all;
}

bool is_indirect(const Decoded& one) {
  const bool branches = one.insn.mnemonic == ZYDIS_MNEMONIC_CALL || one.insn.mnemonic == ZYDIS_MNEMONIC_JMP;
  return branches && one.operands[0].type != ZYDIS_OPERAND_TYPE_IMMEDIATE;
}
std::size_t indirect_branches(std::span<const std::byte> code) {
  return static_cast<std::size_t>(std::ranges::count_if(decoded(code), is_indirect));
}

std::span<const std::byte> code_of(const exec::Executable& program) {
  const std::vector<Function> all = functions(program);
  const std::vector<Piece> made = pieces(program);
  const auto table = std::ranges::find(made, Piece::kTable, &Piece::insn);
  const std::byte* const end = all.back().code.data() + all.back().code.size();
  return {all.front().code.data(), table != made.end() ? table->code : end};
}

class Hardened : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto there = available(); !there) GTEST_SKIP() << there.error().message;
    world_.add_helper(spec::HelperId::ktime_get_ns, exec::testing::mix_body);
    world_.add_helper(spec::HelperId::loop, exec::testing::loop_body);
  }

  std::shared_ptr<const exec::Image> image_of(std::vector<isa::Insn> insns,
                                              exec::ContextKind context = exec::ContextKind::Memory,
                                              spec::ProgType type = spec::ProgType::Unspec) {
    exec::Source source;
    source.name = "hardened";
    source.type = type;
    source.insns = std::move(insns);
    auto image = exec::assume_verified(source, context, "test of compiled bytes");
    EXPECT_TRUE(image) << (image ? "" : image.error().message);
    return image ? std::make_shared<const exec::Image>(*std::move(image)) : nullptr;
  }
  std::unique_ptr<exec::Executable> compiled(const std::shared_ptr<const exec::Image>& image, Hardening hardening) {
    auto program = bind(image, world_, {.hardening = hardening});
    EXPECT_TRUE(program) << (program ? "" : program.error().message);
    return program ? *std::move(program) : nullptr;
  }
  std::vector<isa::Insn> random_program(unsigned seed) {
    std::mt19937 random(seed);
    return RandomProgram([&] { return static_cast<std::uint32_t>(random()); }, 0x1122'3344'5566'7788).make();
  }

  interp::testing::World world_;
};

// ---- Blinding

bool contains(std::span<const std::byte> code, const void* bytes, std::size_t size) {
  const std::span needle(static_cast<const std::byte*>(bytes), size);
  return !std::ranges::search(code, needle).empty();
}

// Numbers that do not stand in code by chance.
bool is_distinctive(std::int32_t number) { return std::abs(std::int64_t{number}) > 0xff'ffff; }

// How many of the program's constants can be read in its code.
std::size_t readable_constants(const std::vector<isa::Insn>& insns, std::span<const std::byte> code) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < insns.size(); i += isa::slots(isa::decode(insns[i]))) {
    const isa::Op op = isa::decode(insns[i]);
    if (isa::is_jump(op) || isa::is_call(op)) {
      if (isa::form(op) != isa::Form::JumpImm) continue;  // their imm is a distance or an id
    }
    if (op == isa::Op::LdImm64) {
      const std::uint64_t number = isa::imm64(insns[i], insns[i + 1]);
      count += contains(code, &number, sizeof number);
    } else if (op != isa::Op::LdFunc && is_distinctive(insns[i].imm)) {
      count += contains(code, &insns[i].imm, sizeof insns[i].imm);
    }
  }
  return count;
}

TEST_F(Hardened, NoConstantOfTheProgramStandsInBlindedCode) {
  std::size_t plain = 0, blind = 0;
  for (unsigned seed = 0; seed < 500; ++seed) {
    const std::vector<isa::Insn> insns = random_program(seed);
    const auto image = image_of(insns);
    ASSERT_NE(image, nullptr);
    const auto open = compiled(image, {}), hidden = compiled(image, {.blinding = true});
    EXPECT_FALSE(blinded(*open));
    EXPECT_TRUE(blinded(*hidden));
    plain += readable_constants(insns, code_of(*open));
    const std::size_t left = readable_constants(insns, code_of(*hidden));
    EXPECT_EQ(left, 0U) << "seed " << seed;
    blind += left;
  }
  EXPECT_GT(plain, 2'000U);  // the search does find them
  EXPECT_EQ(blind, 0U);
}

// Each form of instruction that has a constant, with one that is easily found; shifts apart, whose constants are a
// byte.
TEST_F(Hardened, EveryFormOfInstructionIsBlinded) {
  constexpr std::int32_t kNumber = 0x5f3759df;
  std::size_t tried = 0;
  for (std::size_t i = 1; i < isa::kOps; ++i) {
    const isa::Op op = static_cast<isa::Op>(i);
    const isa::Form form = isa::form(op);
    if (form != isa::Form::AluImm && form != isa::Form::MovImm && form != isa::Form::JumpImm &&
        form != isa::Form::StoreImm)
      continue;
    for (unsigned reg = 0; reg < 10; ++reg) {
      isa::Insn one = isa::encode(op);
      one.dst = reg & 0xfU;
      one.imm = kNumber;
      std::vector<isa::Insn> insns;
      isa::Insn zero = isa::encode(isa::Op::Mov64Imm);
      zero.dst = reg & 0xfU;
      insns.push_back(zero);
      if (form == isa::Form::JumpImm) one.off = 1;
      insns.push_back(one);
      isa::Insn copy = isa::encode(isa::Op::Mov64Reg);
      copy.src = reg & 0xfU;
      insns.push_back(copy);  // somebody asks for the result
      insns.push_back(isa::encode(isa::Op::Exit));
      const auto image = image_of(insns);
      ASSERT_NE(image, nullptr);
      // Two bytes may be there by chance, but not each time.
      for (const std::size_t bytes : {sizeof(std::int32_t), sizeof(std::int16_t)}) {
        unsigned found = 0;
        for (int once = 0; once < 4; ++once)
          found += contains(code_of(*compiled(image, {.blinding = true})), &kNumber, bytes);
        EXPECT_LT(found, 4U) << isa::disassemble(insns);
      }
      ++tried;
    }
  }
  EXPECT_GT(tried, 300U);
}

TEST_F(Hardened, ProgramsAreBlindedEachDifferently) {
  const auto image = image_of(exec::testing::assembled("r0 = 0x12345678\nr0 += 0x23456789\nexit"));
  std::set<std::vector<std::byte>> all;
  for (int i = 0; i < 20; ++i) {
    const auto program = compiled(image, {.blinding = true});
    const auto code = code_of(*program);
    all.emplace(code.begin(), code.end());
    EXPECT_EQ(world_.run(*program).r0, 0x12345678U + 0x23456789U);
  }
  EXPECT_EQ(all.size(), 20U);
}

TEST_F(Hardened, PacketOffsetsAreBlinded) {
  const auto image = image_of(exec::testing::assembled("r6 = r1\nr0 = *(u32 *)skb[305419896]\nr7 = 3\n"
                                                       "r0 = *(u8 *)skb[r7 + 305419896]\nexit"),
                              exec::ContextKind::SkBuff, spec::ProgType::SocketFilter);
  ASSERT_NE(image, nullptr);
  constexpr std::int32_t kOffset = 0x12345678;
  EXPECT_TRUE(contains(code_of(*compiled(image, {})), &kOffset, sizeof kOffset));
  EXPECT_FALSE(contains(code_of(*compiled(image, {.blinding = true})), &kOffset, sizeof kOffset));
}

// ---- Retpolines

TEST_F(Hardened, EveryIndirectBranchIsARetpoline) {
  std::size_t without = 0;
  for (unsigned seed = 0; seed < 500; ++seed) {
    const auto image = image_of(random_program(seed));
    ASSERT_NE(image, nullptr);
    without += indirect_branches(code_of(*compiled(image, {})));
    EXPECT_EQ(indirect_branches(code_of(*compiled(image, {.retpolines = true}))), 0U) << "seed " << seed;
  }
  EXPECT_GT(without, 50U);
}

TEST_F(Hardened, TailCallsGoThroughRetpolines) {
  const auto image = image_of(exec::testing::assembled("call bpf_tail_call#12\nr0 = 0\nexit"));
  EXPECT_GE(indirect_branches(code_of(*compiled(image, {}))), 1U);
  const auto program = compiled(image, {.retpolines = true});
  const auto all = decoded(code_of(*program));
  EXPECT_EQ(std::ranges::count_if(all, is_indirect), 0);
  // call over, pause, lfence, jump back, and the return that goes elsewhere
  const auto pause =
      std::ranges::find_if(all, [](const Decoded& one) { return one.insn.mnemonic == ZYDIS_MNEMONIC_PAUSE; });
  ASSERT_NE(pause, all.end());
  ASSERT_NE(pause, all.begin());
  EXPECT_EQ(std::prev(pause)->insn.mnemonic, ZYDIS_MNEMONIC_CALL);
  EXPECT_EQ(std::next(pause)->insn.mnemonic, ZYDIS_MNEMONIC_LFENCE);
  EXPECT_EQ(std::next(pause, 2)->insn.mnemonic, ZYDIS_MNEMONIC_JMP);
  EXPECT_EQ(std::next(pause, 3)->insn.mnemonic, ZYDIS_MNEMONIC_MOV);
  EXPECT_EQ(std::next(pause, 4)->insn.mnemonic, ZYDIS_MNEMONIC_RET);
}

// ---- Barriers

std::size_t fences(std::span<const std::byte> code) {
  return static_cast<std::size_t>(std::ranges::count_if(
      decoded(code), [](const Decoded& one) { return one.insn.mnemonic == ZYDIS_MNEMONIC_LFENCE; }));
}

// What the verifier asks of a program of the unprivileged, and of the same program of somebody who may see everything.
Result<spec::VerifiedProgram> verified(const std::vector<isa::Insn>& insns, bool privileged) {
  const spec::VerifyInput input{
      .type = spec::ProgType::SocketFilter, .insns = insns, .rights = {.bpf = privileged, .perfmon = privileged}};
  auto verdict = verifier::verify(input);
  if (!verdict.result) return fail(verdict.result.error().code, verdict.log + verdict.result.error().message);
  return *std::move(verdict.result);
}

TEST_F(Hardened, BarriersStandWhereTheVerifierWantsThem) {
  // a spilled pointer, which a load that overtakes the store could miss
  const auto insns =
      exec::testing::assembled("*(u64 *)(r10 -8) = r1\nr1 = *(u64 *)(r10 -8)\nr0 = *(u32 *)(r1 +0)\nr0 = 0\nexit");
  const auto guarded = verified(insns, false), free = verified(insns, true);
  ASSERT_TRUE(guarded) << guarded.error().message;
  ASSERT_TRUE(free) << free.error().message;
  EXPECT_TRUE(free->rewrites.barriers.empty());
  ASSERT_EQ(guarded->rewrites.barriers.size(), 1U);
  EXPECT_EQ(guarded->rewrites.barriers[0].insn, 0U);
  EXPECT_EQ(guarded->rewrites.barriers[0].where, spec::Barrier::Where::Behind);

  exec::Source source;
  source.type = spec::ProgType::SocketFilter;
  source.insns = guarded->insns;
  source.barriers = guarded->rewrites.barriers;
  auto lowered = exec::verify(source);
  ASSERT_TRUE(lowered) << lowered.error().message;
  const auto image = std::make_shared<const exec::Image>(*std::move(lowered));
  const auto program = compiled(image, {});
  EXPECT_EQ(fences(code_of(*program)), 1U);
  EXPECT_EQ(fences(code_of(*compiled(image, {.barriers = false}))), 0U);
  const auto all = decoded(code_of(*program));
  const auto fence =
      std::ranges::find_if(all, [](const Decoded& one) { return one.insn.mnemonic == ZYDIS_MNEMONIC_LFENCE; });
  ASSERT_NE(fence, all.begin());
  EXPECT_EQ(std::prev(fence)->insn.mnemonic, ZYDIS_MNEMONIC_MOV);
  EXPECT_EQ(std::prev(fence)->operands[0].type, ZYDIS_OPERAND_TYPE_MEMORY);
}

// A pointer into a map's value moved by a number of the packet, whose bounds a wrong guess would not keep.
TEST(Barriers, AreAskedForBeforeArithmeticOnPointers) {
  auto insns = exec::testing::assembled(
      "r6 = map[fd:0][0]+0\nr7 = *(u32 *)(r1 +0)\nr7 &= 7\nr6 += r7\nr0 = *(u8 *)(r6 +0)\nr0 = 0\nexit");
  ASSERT_EQ(insns.size(), 8U);
  const spec::MapView map{.id = spec::MapId{1},
                          .spec = {.type = spec::MapType::Array, .key_size = 4, .value_size = 64, .max_entries = 1},
                          .has_direct_value = true};
  insns[0].imm = 100;
  const spec::MapUse use{.insn = 0, .map = 0, .fd = 100};
  for (const bool perfmon : {false, true}) {
    const auto verdict = verifier::verify({.type = spec::ProgType::SocketFilter,
                                           .insns = insns,
                                           .maps = {&map, 1},
                                           .map_uses = {&use, 1},
                                           .rights = {.bpf = true, .perfmon = perfmon}});
    ASSERT_TRUE(verdict.result) << verdict.result.error().message;
    const std::vector<spec::Barrier>& barriers = verdict.result->rewrites.barriers;
    ASSERT_EQ(barriers.size(), perfmon ? 0U : 1U);
    if (perfmon) continue;
    EXPECT_EQ(barriers[0].insn, 4U);
    EXPECT_EQ(barriers[0].where, spec::Barrier::Where::Before);
  }
}

// Behind a comparison that was only guessed an index is 0.
TEST_F(Hardened, IndicesOfArraysAreMasked) {
  world_.add_map(1, interp::testing::array(4, 5));
  world_.add_helper(spec::HelperId::map_lookup_elem, interp::testing::lookup_body);
  for (const bool masks : {false, true}) {
    auto image =
        exec::assume_verified(exec::testing::source("*(u32 *)(r10 -4) = r1\nr2 = r10\nr2 += -4\nr1 = map[id:1]\ncall "
                                                    "bpf_map_lookup_elem#1\nr0 = 0\nexit"),
                              exec::ContextKind::Memory, "test of compiled bytes");
    ASSERT_TRUE(image) << image.error().message;
    image->masks_indices = masks;
    const auto program = compiled(std::make_shared<const exec::Image>(*std::move(image)), {});
    ASSERT_NE(program, nullptr);
    const auto is_mask = [](const Decoded& one) { return one.insn.mnemonic == ZYDIS_MNEMONIC_SBB; };
    EXPECT_EQ(std::ranges::count_if(decoded(code_of(*program)), is_mask), masks ? 1 : 0);
  }
}

TEST_F(Hardened, BarriersBeforeArithmeticOnPointers) {
  auto insns = exec::testing::assembled("r6 = r1\nr0 = 0\nr6 += r0\nr0 = 0\nexit");
  auto image = image_of(insns);
  ASSERT_NE(image, nullptr);
  exec::Image guarded = *image;
  guarded.barriers = {{2, spec::Barrier::Where::Before}};
  EXPECT_EQ(fences(code_of(*compiled(std::make_shared<const exec::Image>(guarded), {}))), 1U);
}

}  // namespace
}  // namespace skep::jit
