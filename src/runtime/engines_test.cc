// The compiler against the interpreter: single instructions, exhaustively.
//
// Each form with every register or pair of registers, at boundary immediates and offsets, on boundary values: a program
// loads all registers from memory, runs the one instruction, and stores all registers; both engines run it on the same
// bytes, and all bytes must agree afterwards.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <limits>
#include <random>

#include "exec/random_program.h"
#include "interp/testing.h"
#include "isa/disasm.h"
#include "isa/op.h"
#include "jit/jit.h"
#include "jit/program.h"
#include "maps/arena_map.h"

namespace skep::runtime {
namespace {

using interp::Policy;
using interp::testing::World;
using isa::Form;
using isa::Insn;
using isa::Op;

constexpr std::uint8_t kGeneral = 10;  // registers r0 to r9
constexpr std::int32_t kImmediates[] = {0,
                                        1,
                                        -1,
                                        2,
                                        3,
                                        5,
                                        7,
                                        8,
                                        9,
                                        31,
                                        32,
                                        33,
                                        63,
                                        64,
                                        127,
                                        128,
                                        255,
                                        256,
                                        -128,
                                        -129,
                                        65535,
                                        0x7fffffff,
                                        -0x7fffffff - 1,
                                        0x12345678,
                                        10,
                                        1000,
                                        6,
                                        11,
                                        13,
                                        14,
                                        100,
                                        641,
                                        10000,
                                        65537,
                                        1000000007,
                                        0x7ffffffe,
                                        -2,
                                        -3,
                                        -1000000007};
constexpr std::uint64_t kValues[] = {0,
                                     1,
                                     2,
                                     7,
                                     32,
                                     63,
                                     255,
                                     0x7fffffff,
                                     0x80000000,
                                     0xffffffff,
                                     0x100000000,
                                     0x0123456789abcdef,
                                     0x7fffffffffffffff,
                                     0x8000000000000000,
                                     0xfffffffffffffffe,
                                     0xffffffffffffffff};

Insn made(Op op, unsigned dst, unsigned src, std::int16_t off = 0, std::int32_t imm = 0) {
  Insn insn = isa::encode(op);
  insn.dst = dst & 0xfU;
  insn.src |= src & 0xfU;
  if (isa::info(op).select != isa::Select::Off) insn.off = off;
  if (isa::info(op).select != isa::Select::Imm) insn.imm = imm;
  return insn;
}

// What the instruction works on: the registers before and after, and memory that it may access.
struct Bench {
  static constexpr std::size_t kMiddle = 32776;
  std::array<std::uint64_t, kGeneral> before{}, after{};
  alignas(16) std::array<std::byte, 2 * kMiddle> memory{};
};

// With all that this processor can do, and with what every one can; both also hardened.
enum class As : std::uint8_t { This, Any, Hardened, HardenedAny };
constexpr As kForms[] = {As::This, As::Any, As::Hardened, As::HardenedAny};
std::string name_of(const ::testing::TestParamInfo<As>& info) {
  static constexpr std::string_view kNames[] = {"This", "Any", "Hardened", "HardenedAny"};
  return std::string(kNames[static_cast<std::size_t>(info.param)]);
}
auto compiled_as(As as, const std::shared_ptr<const exec::Image>& image, const exec::Bindings& bindings) {
  const bool any = as == As::Any || as == As::HardenedAny;
  const bool hardened = as == As::Hardened || as == As::HardenedAny;
  return jit::Program::bind(image, bindings, any ? jit::x64::Features{} : jit::x64::features(),
                            {.hardening = {.blinding = hardened, .retpolines = hardened}});
}

class EveryInstruction : public ::testing::TestWithParam<As> {
 protected:
  EveryInstruction() : bench_(std::make_unique<Bench>()) {
    if (const auto there = jit::available(); !there) skip_ = there.error().message;
  }

  // Every byte differs from those around it. The address of the middle.
  std::uint64_t fill_memory() {
    for (std::size_t i = 0; i < bench_->memory.size(); ++i) bench_->memory[i] = static_cast<std::byte>(i * 167 + 1);
    return reinterpret_cast<std::uint64_t>(bench_->memory.data()) + Bench::kMiddle;
  }

  // Registers from memory, the instructions, registers to memory.
  std::vector<Insn> program(std::span<const Insn> middle) {
    std::vector<Insn> insns;
    const auto address = [&](std::uint8_t reg, const void* at) {
      const auto value = reinterpret_cast<std::uint64_t>(at);
      insns.push_back(made(Op::LdImm64, reg, 0, 0, static_cast<std::int32_t>(value)));
      insns.push_back({.imm = static_cast<std::int32_t>(value >> 32)});
    };
    address(9, bench_->before.data());
    for (std::uint8_t reg = 0; reg < kGeneral; ++reg)
      insns.push_back(made(Op::Load64, reg, 9, static_cast<std::int16_t>(8 * reg)));
    insns.insert(insns.end(), middle.begin(), middle.end());
    for (std::uint8_t reg = 0; reg < kGeneral; ++reg)
      insns.push_back(made(Op::StoreReg64, 10, reg, static_cast<std::int16_t>(-8 * reg - 8)));
    address(1, bench_->after.data());
    for (std::uint8_t reg = 0; reg < kGeneral; ++reg) {
      insns.push_back(made(Op::Load64, 2, 10, static_cast<std::int16_t>(-8 * reg - 8)));
      insns.push_back(made(Op::StoreReg64, 1, 2, static_cast<std::int16_t>(8 * reg)));
    }
    insns.push_back(made(Op::Mov64Imm, 0, 0));
    insns.push_back(isa::encode(Op::Exit));
    return insns;
  }

  enum class Memory : std::uint8_t { Plain, Arena };
  static constexpr spec::MapId kArena{1};
  static constexpr std::uint32_t kPrologue = 2 + kGeneral;  // slots before the middle

  void load(std::span<const Insn> middle, Memory memory = Memory::Plain) {
    exec::Source source;
    if (memory == Memory::Arena) source.arena = kArena;
    if (memory == Memory::Arena && isa::has(isa::decode(middle[0]), isa::kReadsMemory | isa::kWritesMemory))
      source.arena_accesses = {kPrologue};
    source.name = "one";
    source.insns = program(middle);
    auto image = exec::assume_verified(source, exec::ContextKind::Memory, "test of engines");
    ASSERT_TRUE(image) << image.error().message;
    const auto shared = std::make_shared<const exec::Image>(*std::move(image));
    auto interpreted = interp::bind(shared, world_, Policy::Plain);
    auto compiled = compiled_as(GetParam(), shared, world_);
    ASSERT_TRUE(interpreted && compiled);
    interpreted_ = *std::move(interpreted);
    compiled_ = *std::move(compiled);
    middle_.assign(middle.begin(), middle.end());
  }

  // Both engines on the registers that bench_ holds now.
  void agree_on_registers() {
    world_.run(*interpreted_);
    const auto expected = bench_->after;
    world_.run(*compiled_);
    ASSERT_EQ(bench_->after, expected) << isa::disassemble(middle_)
                                       << "before: " << ::testing::PrintToString(bench_->before);
    ++runs_;
  }
  // With each of the numbers in a register, and its neighbours, in all bits and in the lower half only.
  void agree_around(unsigned reg, std::span<const std::int32_t> numbers) {
    const auto agree_on = [&](std::uint64_t value) {
      fill(reg, value, reg, value);
      ASSERT_NO_FATAL_FAILURE(agree_on_registers());
    };
    for (const std::int32_t number : numbers)
      for (const int distance : {-1, 0, 1}) {
        const auto value = static_cast<std::uint64_t>(std::int64_t{number} + distance);
        ASSERT_NO_FATAL_FAILURE(agree_on(value));
        ASSERT_NO_FATAL_FAILURE(agree_on(value ^ 0x1234'0000'0000));
      }
    for (const std::uint64_t value : kValues) ASSERT_NO_FATAL_FAILURE(agree_on(value));
  }
  void fill(unsigned dst, std::uint64_t d, unsigned src, std::uint64_t s) {
    for (std::size_t reg = 0; reg < kGeneral; ++reg) bench_->before[reg] = 0x1111'1111'1111'1111 * reg + 0x8765;
    bench_->before[src] = s;
    bench_->before[dst] = d;
  }

  World world_;
  std::unique_ptr<Bench> bench_;
  std::unique_ptr<exec::Executable> interpreted_, compiled_;
  std::vector<Insn> middle_;
  std::size_t runs_ = 0;
  std::string skip_;
};

INSTANTIATE_TEST_SUITE_P(Forms, EveryInstruction, ::testing::ValuesIn(kForms), name_of);

bool is_alu(Form form) {
  return form == Form::AluImm || form == Form::AluReg || form == Form::MovImm || form == Form::MovReg ||
         form == Form::AluUnary;
}
bool takes_source(Form form) { return form == Form::AluReg || form == Form::MovReg || form == Form::JumpReg; }
bool takes_immediate(Form form) { return form == Form::AluImm || form == Form::MovImm || form == Form::JumpImm; }

// All ways to name registers and an immediate; jumps go over an instruction that says whether they were taken.
template <class Try>
void each_variant(Op op, Try attempt) {
  const Form form = isa::form(op);
  for (unsigned dst = 0; dst < kGeneral; ++dst)
    for (unsigned src = 0; src < (takes_source(form) ? kGeneral : 1U); ++src)
      for (const std::int32_t imm : kImmediates) {
        attempt(made(op, dst, takes_source(form) ? src : 0U, isa::is_jump(op) ? std::int16_t{1} : std::int16_t{0},
                     takes_immediate(form) ? imm : 0));
        if (!takes_immediate(form)) break;
      }
}

TEST_P(EveryInstruction, ArithmeticAndJumps) {
  if (!skip_.empty()) GTEST_SKIP() << skip_;
  for (std::size_t i = 1; i < isa::kOps; ++i) {
    const Op op = static_cast<Op>(i);
    const bool jumps = isa::form(op) == Form::JumpImm || isa::form(op) == Form::JumpReg;
    if (!is_alu(isa::form(op)) && !jumps) continue;
    each_variant(op, [&](const Insn& insn) {
      if (HasFatalFailure()) return;
      const Insn told = made(Op::Xor64Imm, (insn.dst + 1U) % kGeneral, 0, 0, 0x5a5a);
      const Insn both[] = {insn, told};
      load(std::span(both).first(jumps ? 2 : 1));
      for (const std::uint64_t d : kValues)
        for (const std::uint64_t s : kValues) {
          fill(insn.dst, d, takes_source(isa::form(op)) ? insn.src : insn.dst, s);
          if (!takes_source(isa::form(op))) bench_->before[insn.dst] = d;
          agree_on_registers();
          if (HasFatalFailure()) return;
          if (!takes_source(isa::form(op)) || insn.src == insn.dst) break;
        }
    });
    ASSERT_FALSE(HasFatalFailure());
  }
  EXPECT_GT(runs_, 1'000'000U);
}

// Divisors that are constants become multiplications: many of them, of all sizes, on values around their multiples.
TEST_P(EveryInstruction, DivisionByConstants) {
  if (!skip_.empty()) GTEST_SKIP() << skip_;
  std::mt19937_64 random(1);
  for (const Op op : {Op::Div64Imm, Op::Mod64Imm, Op::Div32Imm, Op::Mod32Imm, Op::SDiv64Imm, Op::SMod32Imm})
    for (int i = 0; i < 3000; ++i) {
      const auto by = static_cast<std::int32_t>(static_cast<std::uint32_t>(random()) >> random() % 32);
      const Insn one[] = {made(op, static_cast<unsigned>(random() % kGeneral), 0, 0, by)};
      load(one);
      const auto wide = static_cast<std::uint64_t>(std::int64_t{by});
      for (int k = 0; k < 20; ++k) {
        const std::uint64_t x = random() >> random() % 64;
        const std::uint64_t near = wide == 0 ? x : x / wide * wide + random() % 3 - 1;
        fill(one[0].dst, k % 2 != 0 ? near : x, one[0].dst, k % 2 != 0 ? near : x);
        agree_on_registers();
        ASSERT_FALSE(HasFatalFailure());
      }
    }
}

TEST_P(EveryInstruction, Immediates64) {
  if (!skip_.empty()) GTEST_SKIP() << skip_;
  for (unsigned dst = 0; dst < kGeneral; ++dst)
    for (const std::uint64_t value : kValues) {
      const Insn two[] = {made(Op::LdImm64, dst, 0, 0, static_cast<std::int32_t>(value)),
                          {.imm = static_cast<std::int32_t>(value >> 32)}};
      load(two);
      fill(0, 1, 1, 2);
      agree_on_registers();
      ASSERT_FALSE(HasFatalFailure());
    }
}

// Offsets from the middle of the memory, aligned to `bytes` where the instruction wants that.
std::vector<std::int16_t> offsets(unsigned bytes, bool aligned) {
  std::vector<std::int16_t> all;
  for (const int offset : {0, 8, -8, 1, -1, 120, 127, 128, -128, -129, 32760, 32767 - 7, -32768})
    if (!aligned || offset % static_cast<int>(bytes) == 0) all.push_back(static_cast<std::int16_t>(offset));
  return all;
}

// Every access of an arena's memory: inside, across its end and beyond, by pointers of which the lower half counts.
TEST_P(EveryInstruction, ArenaAccesses) {
  if (!skip_.empty()) GTEST_SKIP() << skip_;
  constexpr std::uint64_t kUsers = 0x7f00'fff0'0000;
  const spec::ArenaPlace arena =
      world_
          .add_map(std::to_underlying(kArena),
                   {.type = spec::MapType::Arena, .max_entries = 2, .flags = spec::kMmapable, .extra = kUsers})
          .arena()
          ->place();
  const auto fill_arena = [&](const auto& from) { std::memcpy(arena.pages, from.data(), from.size()); };
  const auto holds = [&](const auto& wanted) { return std::memcmp(arena.pages, wanted.data(), wanted.size()) == 0; };
  std::vector<std::byte> before(arena.bytes), expected(arena.bytes);
  for (std::size_t i = 0; i < before.size(); ++i) before[i] = static_cast<std::byte>(i * 167 + i / 256);
  for (std::size_t i = 1; i < isa::kOps; ++i) {
    const Op op = static_cast<Op>(i);
    if (!isa::has(op, isa::kReadsMemory | isa::kWritesMemory)) continue;
    const Form form = isa::form(op);
    const bool by_source = form == Form::Load || form == Form::LoadSx || form == Form::LoadAcquire;
    const bool immediate = form == Form::StoreImm;
    for (unsigned dst = 0; dst < kGeneral; ++dst)
      for (unsigned src = 0; src < (immediate ? 1U : kGeneral); ++src)
        for (const std::int16_t offset : std::initializer_list<std::int16_t>{0, 8, -32768, 32760}) {
          const Insn one[] = {made(op, dst, immediate ? 0 : src, offset, immediate ? -5 - offset : 0)};
          load(one, Memory::Arena);
          for (const std::uint64_t at : {std::uint64_t{64}, arena.bytes - isa::access_bytes(op),
                                         arena.bytes - isa::access_bytes(op) + 1, arena.bytes, ~std::uint64_t{7}}) {
            const unsigned base = by_source ? src : dst, other = by_source ? dst : src;
            fill(0, 0x1122334455667788, 0, 0x1122334455667788);
            if (!immediate) bench_->before[other] = 0xfedc'ba98'7654'3210;
            bench_->before[base] = kUsers + at - static_cast<std::uint64_t>(std::int64_t{offset});
            fill_arena(before);
            world_.run(*interpreted_);
            const auto after = bench_->after;
            std::memcpy(expected.data(), arena.pages, expected.size());
            fill_arena(before);
            world_.run(*compiled_);
            ASSERT_EQ(bench_->after, after) << isa::disassemble(middle_) << " at " << at;
            ASSERT_TRUE(holds(expected)) << isa::disassemble(middle_) << " at " << at;
            const bool inside = at <= arena.bytes - isa::access_bytes(op);
            ASSERT_TRUE(inside || holds(before)) << isa::disassemble(middle_) << " at " << at;
            ASSERT_TRUE(!by_source || inside || after[dst] == 0);
            ++runs_;
          }
        }
  }
  EXPECT_GT(runs_, 30'000U);
}

TEST_P(EveryInstruction, UsersAddressesOfAnArena) {
  if (!skip_.empty()) GTEST_SKIP() << skip_;
  for (const std::uint64_t users : {std::uint64_t{0x7f00'0010'0000}, std::uint64_t{0x7f00'ffff'f000}}) {
    world_
        .add_map(std::to_underlying(kArena), {.type = spec::MapType::Arena, .max_entries = 2, .flags = spec::kMmapable})
        .arena()
        ->set_users(users);
    for (unsigned dst = 0; dst < kGeneral; ++dst)
      for (unsigned src = 0; src < kGeneral; ++src) {
        const Insn one[] = {made(Op::CastAddrSpace, dst, src, 0, isa::kToUser), made(Op::Mov64Reg, 0, 0)};
        load(one, Memory::Arena);
        for (const std::uint64_t value : {std::uint64_t{0}, users, users + 4096, users - 8, std::uint64_t{1} << 32}) {
          fill(dst, 5, src, value);
          bench_->before[src] = value;
          agree_on_registers();
          ASSERT_FALSE(HasFatalFailure());
          const bool inside = value >= users && value < users + 8192;
          const std::uint64_t whole = static_cast<std::uint32_t>(value) == 0 ? 0 : value;
          ASSERT_TRUE(!inside || bench_->after[dst] == whole);
        }
      }
  }
}

TEST_P(EveryInstruction, MemoryAndAtomics) {
  if (!skip_.empty()) GTEST_SKIP() << skip_;
  for (std::size_t i = 0; i < bench_->memory.size(); ++i) bench_->memory[i] = static_cast<std::byte>(i * 167 + i / 256);
  const std::uint64_t middle = reinterpret_cast<std::uint64_t>(bench_->memory.data()) + Bench::kMiddle;
  for (std::size_t i = 1; i < isa::kOps; ++i) {
    const Op op = static_cast<Op>(i);
    if (!isa::has(op, isa::kReadsMemory | isa::kWritesMemory)) continue;
    const bool by_source =
        isa::form(op) == Form::Load || isa::form(op) == Form::LoadSx || isa::form(op) == Form::LoadAcquire;
    const bool immediate = isa::form(op) == Form::StoreImm;
    for (unsigned dst = 0; dst < kGeneral; ++dst)
      for (unsigned src = 0; src < (immediate ? 1U : kGeneral); ++src)
        for (const std::int16_t offset : offsets(isa::access_bytes(op), isa::is_atomic(op))) {
          const Insn one[] = {made(op, dst, immediate ? 0 : src, offset, immediate ? -5 - offset : 0)};
          load(one);
          // the value before, for cmpxchg both to succeed and to fail
          const std::uint64_t held = skep::load<std::uint64_t>(
              reinterpret_cast<const void*>(middle + static_cast<std::uint64_t>(std::int64_t{offset})));
          for (const std::uint64_t r0 : {std::uint64_t{0x1122334455667788}, held, held & 0xffffffff}) {
            const unsigned base = by_source ? src : dst, other = by_source ? dst : src;
            fill(0, r0, 0, r0);
            if (!immediate) bench_->before[other] = 0xfedc'ba98'7654'3210;
            if (other == 0) bench_->before[0] = r0;
            bench_->before[base] = middle;
            // memory is compared only where it can have changed: all of it would take minutes
            const std::uint64_t around = middle + static_cast<std::uint64_t>(std::int64_t{offset});
            const auto window = [&] {
              return skep::load<std::array<std::byte, 16>>(reinterpret_cast<const void*>(around - 4));
            };
            const auto start = window();
            world_.run(*interpreted_);
            const auto after = bench_->after;
            const auto expected = window();
            skep::store(reinterpret_cast<void*>(around - 4), start);
            world_.run(*compiled_);
            ASSERT_EQ(bench_->after, after) << isa::disassemble(middle_);
            ASSERT_EQ(window(), expected) << isa::disassemble(middle_);
            skep::store(reinterpret_cast<void*>(around - 4), start);
            ++runs_;
            if (isa::form(op) != Form::AtomicCmpXchg) break;
          }
        }
  }
  EXPECT_GT(runs_, 10'000U);
}

// ---- Whole programs

class RandomPrograms : public ::testing::TestWithParam<As> {};
INSTANTIATE_TEST_SUITE_P(Forms, RandomPrograms, ::testing::ValuesIn(kForms), name_of);

TEST_P(RandomPrograms, AgreeOnBothEngines) {
  if (const auto there = jit::available(); !there) GTEST_SKIP() << there.error().message;
  constexpr unsigned kPrograms = 20'000;
  constexpr std::uint64_t kBudget = 20'000;
  World world;
  world.add_helper(spec::HelperId::ktime_get_ns, exec::testing::mix_body);
  world.add_helper(spec::HelperId::loop, exec::testing::loop_body);
  alignas(16) static std::array<std::byte, exec::testing::RandomProgram::kBuffer> buffer;
  const auto run = [&](const exec::Executable& program, std::uint64_t budget) {
    for (std::size_t i = 0; i < buffer.size(); ++i) buffer[i] = static_cast<std::byte>(i * 37);
    return world.run(program, nullptr, 0, budget);
  };
  unsigned ended = 0;
  for (unsigned seed = 0; seed < kPrograms; ++seed) {
    std::mt19937 random(seed);
    exec::Source source;
    source.name = "random";
    source.insns = exec::testing::RandomProgram([&] { return static_cast<std::uint32_t>(random()); },
                                                reinterpret_cast<std::uint64_t>(buffer.data()))
                       .make();
    auto image = exec::assume_verified(source, exec::ContextKind::Memory, "test of engines");
    ASSERT_TRUE(image) << image.error().message;
    const auto shared = std::make_shared<const exec::Image>(*std::move(image));
    const auto interpreted = interp::bind(shared, world, Policy::Plain);
    const auto compiled = compiled_as(GetParam(), shared, world);
    ASSERT_TRUE(interpreted && compiled) << (compiled ? "" : compiled.error().message);
    const auto expected = run(**interpreted, kBudget);
    const auto bytes = buffer;
    // Counting by blocks may stop earlier, never later.
    const auto counted = run(**compiled, kBudget);
    if (expected.stopped) {
      ASSERT_TRUE(counted.stopped) << "seed " << seed;
      continue;
    }
    ++ended;
    const std::string text = "seed " + std::to_string(seed) + '\n' + isa::disassemble(source.insns);
    ASSERT_FALSE(counted.stopped) << text;
    ASSERT_EQ(counted.r0, expected.r0) << text;
    ASSERT_EQ(counted.budget, expected.budget) << text;
    ASSERT_TRUE(buffer == bytes) << text;
    const auto free = run(**compiled, 0);
    ASSERT_FALSE(free.stopped) << text;
    ASSERT_EQ(free.r0, expected.r0) << text;
    ASSERT_TRUE(buffer == bytes) << text;
  }
  EXPECT_GT(ended, kPrograms / 2) << "most random programs should end";
}

// What is written as one instruction or two where the registers in between are not asked for again: each shape with
// registers that may be the same, and some of them overwritten behind it.
TEST_P(EveryInstruction, WrittenTogether) {
  if (!skip_.empty()) GTEST_SKIP() << skip_;
  const std::uint64_t middle = fill_memory();
  std::mt19937 random(1);
  const auto pick = [&](auto... choices) {
    const std::array all{choices...};
    return all[random() % all.size()];
  };
  const auto reg = [&] { return static_cast<unsigned>(random() % 5); };
  const auto offset = [&] { return static_cast<std::int16_t>(random() % 4); };
  const auto jump_over_one = [&](unsigned other) {
    const Op op = pick(Op::JEq64Imm, Op::JSgt32Reg, Op::JLt64Reg, Op::JSet32Imm, Op::JNe32Reg, Op::JGe64Imm,
                       Op::JGt64Imm, Op::JLe32Imm);
    const bool of_register = isa::form(op) == Form::JumpReg;
    return made(op, reg(), of_register ? other : 0, 1,
                of_register ? 0 : pick(0, 1, -1, 3, 0xff, 0xffff, 0x8765, INT32_MAX));
  };
  for (int i = 0; i < 80'000; ++i) {
    std::vector<Insn> insns;
    const unsigned a = reg(), b = reg(), c = reg();
    const auto through = [&](unsigned base) {  // a load or a store
      const Op op = pick(Op::Load8, Op::Load16, Op::Load32, Op::Load64, Op::StoreReg8, Op::StoreReg32, Op::StoreReg64,
                         Op::StoreImm16);
      const bool loads = isa::form(op) == Form::Load;
      insns.push_back(made(op, loads ? c : base,
                           loads                             ? base
                           : isa::form(op) == Form::StoreReg ? c
                                                             : 0,
                           offset(), isa::form(op) == Form::StoreImm ? 77 : 0));
    };
    const unsigned other = a == b ? a ^ 1U : a;
    switch (random() % 11) {
      case 0:
        insns.push_back(made(pick(Op::Load32, Op::Load64), a, 8, offset()));
        insns.push_back(made(pick(Op::Add32Reg, Op::Sub64Reg, Op::Or32Reg, Op::And64Reg, Op::Xor32Reg, Op::Mul64Reg,
                                  Op::Mul32Reg, Op::Add64Reg, Op::Lsh64Reg),
                             b, pick(a, a, c)));
        break;
      case 1:
        insns.push_back(made(Op::And64Imm, b, 0, 0, 7));
        if (random() % 2 != 0) insns.push_back(made(Op::Lsh64Imm, b, 0, 0, pick(1, 2, 3, 4)));
        insns.push_back(made(Op::LdImm64, other, 0, 0, static_cast<std::int32_t>(middle)));
        insns.push_back({.imm = static_cast<std::int32_t>(middle >> 32)});
        insns.push_back(made(Op::Add64Reg, other, b));
        through(other);
        break;
      case 2:
        insns.push_back(made(Op::And64Imm, b, 0, 0, 7));
        insns.push_back(made(Op::Mov64Reg, other, 8));
        insns.push_back(made(Op::Add64Reg, other, b));
        through(other);
        break;
      case 3:
        insns.push_back(jump_over_one(b));
        insns.push_back(made(pick(Op::Mov64Reg, Op::Mov32Reg), a, c));
        break;
      case 4: {
        const int first = pick(0, 1);
        insns.push_back(made(pick(Op::Mov64Imm, Op::Mov32Imm), a, 0, 0, first));
        const Insn jump = jump_over_one(b);
        insns.push_back(jump);
        insns.push_back(made(pick(Op::Mov64Imm, Op::Mov32Imm), a, 0, 0, pick(1 - first, 1 - first, 5)));
        if (random() % 2 != 0) {  // what it decided is a distance
          insns.push_back(made(pick(Op::Lsh32Imm, Op::Lsh64Imm), a, 0, 0, pick(1, 3, 4, 5, 6)));
          insns.push_back(made(pick(Op::Rsh32Reg, Op::Rsh64Reg), pick(unsigned{jump.dst}, unsigned{jump.dst}, b), a));
        }
        break;
      }
      case 5:
        insns.push_back(made(Op::And64Imm, b, 0, 0, 7));
        insns.push_back(made(Op::Lsh64Imm, b, 0, 0, pick(1, 2, 3, 4)));
        insns.push_back(made(Op::Mov64Reg, other, 8));
        insns.push_back(made(Op::Add64Reg, other, b));
        through(other);
        break;
      case 6:
        insns.push_back(made(Op::Mov64Reg, other, 8));
        insns.push_back(made(Op::And64Imm, b, 0, 0, 7));
        insns.push_back(made(Op::Add64Reg, other, b));
        through(other);
        break;
      case 7: {  // x without its sign
        const bool whole = random() % 2 != 0;
        insns.push_back(made(whole ? Op::Mov64Reg : Op::Mov32Reg, a, b));
        insns.push_back(made(pick(whole, whole, !whole) ? Op::Arsh64Imm : Op::Arsh32Imm, a, 0, 0,
                             pick(whole ? 63 : 31, whole ? 63 : 31, 30)));
        const unsigned to = pick(b, c);
        if (to != b) insns.push_back(made(pick(whole, whole, !whole) ? Op::Mov64Reg : Op::Mov32Reg, to, pick(b, b, a)));
        insns.push_back(made(whole ? Op::Xor64Reg : Op::Xor32Reg, to, pick(a, a, c)));
        insns.push_back(made(whole ? Op::Sub64Reg : Op::Sub32Reg, pick(to, to, c), a));
        break;
      }
      case 8: {  // a choice between copies of what is compared; both ways may end in one jump
        insns.push_back(made(pick(Op::Mov64Reg, Op::Mov32Reg), a, c));
        Insn jump = jump_over_one(b);
        jump.off = static_cast<std::int16_t>(pick(1, 2, 3));
        insns.push_back(jump);
        insns.push_back(made(pick(Op::Mov64Reg, Op::Mov32Reg), a, reg()));
        insns.push_back(made(Op::Goto, 0, 0, 1));
        insns.push_back(made(Op::Mov64Imm, reg(), 0, 0, 5));
        break;
      }
      case 9: {  // or of a spilled value that is loaded twice
        const Op op = pick(Op::Load32, Op::Load64);
        const auto slot = static_cast<std::int16_t>(pick(-8, -16));
        insns.push_back(made(Op::StoreReg64, 10, reg(), -8));
        insns.push_back(made(Op::StoreReg64, 10, reg(), -16));
        insns.push_back(made(op, c, 10, slot));
        Insn jump = jump_over_one(b);
        if (random() % 2 != 0) jump.dst = static_cast<std::uint8_t>(c & 0xf);
        insns.push_back(jump);
        insns.push_back(made(pick(op, op, Op::Load32), a, 10, pick(slot, slot, std::int16_t{-8})));
        break;
      }
      default: {
        const auto at = offset();
        insns.push_back(made(Op::StoreReg8, 8, a, at));
        insns.push_back(made(pick(Op::Rsh32Imm, Op::Rsh64Imm), a, 0, 0, pick(8, 8, 9)));
        insns.push_back(made(Op::StoreReg8, 8, pick(a, a, b), pick(static_cast<std::int16_t>(at + 1), at)));
      }
    }
    for (auto k = random() % 4; k > 0; --k) insns.push_back(made(Op::Mov64Imm, reg(), 0, 0, 3));
    const auto window = [&] { return skep::load<std::array<std::byte, 80>>(reinterpret_cast<const void*>(middle)); };
    load(insns);
    for (std::size_t number = 0; number < kGeneral; ++number)
      bench_->before[number] = pick(std::uint64_t{random()}, kValues[random() % std::size(kValues)]);
    bench_->before[8] = middle;
    const auto start = window();
    world_.run(*interpreted_);
    const auto expected = bench_->after;
    const auto written = window();
    skep::store(reinterpret_cast<void*>(middle), start);
    world_.run(*compiled_);
    ASSERT_EQ(bench_->after, expected) << isa::disassemble(middle_);
    ASSERT_EQ(window(), written) << isa::disassemble(middle_);
    skep::store(reinterpret_cast<void*>(middle), start);
  }
}

// Loads, shifts and ors in any order, which may or may not make one number.
TEST_P(EveryInstruction, NumbersMadeOfBytes) {
  if (!skip_.empty()) GTEST_SKIP() << skip_;
  const std::uint64_t middle = fill_memory();
  std::mt19937 random(1);
  const auto pick = [&](auto... choices) {
    const std::array all{choices...};
    return all[random() % all.size()];
  };
  for (int i = 0; i < 20'000; ++i) {
    std::vector<Insn> insns;
    const bool neighbours = random() % 2 != 0;  // bytes that do make one, in any order
    std::array<int, 4> order{0, 1, 2, 3};
    std::ranges::shuffle(order, random);
    const bool swapped = random() % 2 != 0;
    for (unsigned k = 0; neighbours && k < 4; ++k) {
      const int byte = order[k], shift = swapped ? 24 - 8 * byte : 8 * byte;
      const auto to = static_cast<unsigned>(k == 0 ? 1 : 2 + random() % 2);
      insns.push_back(made(Op::Load8, to, 8, static_cast<std::int16_t>(byte)));
      if (shift != 0) insns.push_back(made(pick(Op::Lsh32Imm, Op::Lsh64Imm), to, 0, 0, shift));
      if (k != 0) insns.push_back(made(pick(Op::Or32Reg, Op::Or64Reg), 1, to));
      if (random() % 16 == 0) insns.push_back(made(Op::StoreReg8, 8, 5, 2));
      if (random() % 32 == 0) insns.push_back(made(Op::Add64Imm, 8, 0, 0, 1));
    }
    for (auto k = random() % 20; !neighbours && k > 0; --k) {
      const auto a = static_cast<unsigned>(1 + random() % 3), b = static_cast<unsigned>(1 + random() % 3);
      const Op op = pick(Op::Load8, Op::Load8, Op::Load16, Op::Lsh32Imm, Op::Lsh64Imm, Op::Or32Reg, Op::Or64Reg,
                         Op::Mov64Reg, Op::Mov32Reg, Op::StoreReg16, Op::Or64Reg, Op::Lsh64Imm);
      const bool loads = isa::form(op) == Form::Load, stores = isa::form(op) == Form::StoreReg;
      insns.push_back(made(op, stores ? 8 : a,
                           loads                           ? 8
                           : isa::form(op) == Form::AluImm ? 0
                                                           : b,
                           loads || stores ? static_cast<std::int16_t>(random() % 5) : std::int16_t{0},
                           isa::form(op) == Form::AluImm ? pick(8, 8, 16, 24, 32, 4, 0, 56) : 0));
    }
    if (insns.empty()) continue;
    const auto window = [&] { return skep::load<std::array<std::byte, 16>>(reinterpret_cast<const void*>(middle)); };
    load(insns);
    fill(1, random(), 2, random());
    bench_->before[8] = middle;
    const auto start = window();
    world_.run(*interpreted_);
    const auto expected = bench_->after;
    skep::store(reinterpret_cast<void*>(middle), start);
    world_.run(*compiled_);
    skep::store(reinterpret_cast<void*>(middle), start);
    ASSERT_EQ(bench_->after, expected) << isa::disassemble(middle_);
  }
}

// ---- Chains and trees of comparisons, which are written as tables and searches

// Blocks of comparisons of one register with constants. They lead to blocks further down, mostly each to one of its
// own, sometimes into the middle of one; blocks that do not compare set r0 to their number. Some run on into the next.
class Comparisons {
 public:
  Comparisons(std::mt19937& random, unsigned reg) : random_(random), reg_(reg) {
    is_wide_ = pick(2) != 0;
    base_ = pick(2) == 0 ? kEdges[pick(std::size(kEdges))] : static_cast<std::int32_t>(pick(300)) - 150;
    step_ = 1 + (pick(3) == 0 ? pick(2000) : pick(3));
    ordered_ = pick(3);
    most_blocks_ = 10 + pick(90);
  }

  std::vector<Insn> make() {
    blocks_.push_back({});
    for (; current_ < blocks_.size(); ++current_) write(blocks_[current_]);
    const std::size_t end = insns_.size();
    for (const Jump& jump : jumps_) {
      const Block to = jump.block == kEnd ? Block{end, 0} : blocks_[jump.block];
      insns_[jump.at].off = static_cast<std::int16_t>(to.start + std::min(jump.within, to.comparisons) - jump.at - 1);
    }
    return std::move(insns_);
  }
  std::vector<std::int32_t> numbers;  // that are compared with

 private:
  static constexpr std::int32_t kLeast = std::numeric_limits<std::int32_t>::min(),
                                kGreatest = std::numeric_limits<std::int32_t>::max();
  static constexpr std::int32_t kEdges[] = {kLeast, -20, 0, kGreatest - 80, kGreatest - 39, kGreatest - 4};
  static constexpr std::size_t kEnd = ~std::size_t{0};
  struct Block {
    std::size_t start = 0, comparisons = 0;
  };
  struct Jump {
    std::size_t at, block, within;  // comparisons of the block that are left out
  };

  std::uint32_t pick(std::uint32_t below) { return static_cast<std::uint32_t>(random_() % below); }
  void write(Block& block) {
    block.start = insns_.size();
    if (current_ == 0 || (blocks_.size() < most_blocks_ && pick(3) == 0))
      block.comparisons = 1 + pick(pick(4) == 0 ? 80 : 8);
    for (std::size_t i = 0; i < block.comparisons; ++i) compare();
    if (block.comparisons == 0 || pick(2) != 0)
      insns_.push_back(made(Op::Mov64Imm, 0, 0, 0, static_cast<std::int32_t>(1000 + current_)));
    if (pick(8) == 0) insns_.push_back(made(Op::Mov64Imm, reg_, 0, 0, static_cast<std::int32_t>(current_)));
    if (pick(8) == 0) return;
    jump_to(block.comparisons == 0 ? kEnd : some_block());
    insns_.push_back(isa::encode(Op::Goto));
  }
  void compare() {
    const auto number = static_cast<std::int32_t>(static_cast<std::uint32_t>(base_) + step_ * pick(40));
    numbers.push_back(number);
    jump_to(some_block());
    insns_.push_back(made(operation(), reg_, 0, 0, number));
  }
  Op operation() {
    constexpr Op kEqualities[][2] = {{Op::JEq32Imm, Op::JEq64Imm}, {Op::JNe32Imm, Op::JNe64Imm}};
    constexpr Op kUnsigned[][2] = {{Op::JGt32Imm, Op::JGt64Imm},
                                   {Op::JGe32Imm, Op::JGe64Imm},
                                   {Op::JLt32Imm, Op::JLt64Imm},
                                   {Op::JLe32Imm, Op::JLe64Imm}};
    constexpr Op kSigned[][2] = {{Op::JSgt32Imm, Op::JSgt64Imm},
                                 {Op::JSge32Imm, Op::JSge64Imm},
                                 {Op::JSlt32Imm, Op::JSlt64Imm},
                                 {Op::JSle32Imm, Op::JSle64Imm}};
    if (pick(100) == 0) return Op::JSet32Imm;
    if (ordered_ == 0 || pick(3) != 0) return kEqualities[pick(6) == 0][is_wide_];
    const bool is_signed = (ordered_ == 1) != (pick(40) == 0);
    return (is_signed ? kSigned : kUnsigned)[pick(4)][is_wide_];
  }
  std::size_t some_block() {
    const std::size_t later = blocks_.size() - current_ - 1;
    if (later > 0 && (blocks_.size() >= most_blocks_ || pick(6) == 0))
      return current_ + 1 + pick(static_cast<std::uint32_t>(later));
    blocks_.push_back({});
    return blocks_.size() - 1;
  }
  void jump_to(std::size_t block) { jumps_.push_back({insns_.size(), block, pick(30) == 0 ? pick(8) : 0}); }

  std::mt19937& random_;
  unsigned reg_;
  bool is_wide_ = false;
  std::int32_t base_ = 0;
  std::uint32_t step_ = 1, ordered_ = 0;  // 0: equalities only; 1, 2: mostly signed, unsigned
  std::size_t most_blocks_ = 0;
  std::vector<Insn> insns_;
  std::deque<Block> blocks_;  // which stay where they are
  std::vector<Jump> jumps_;
  std::size_t current_ = 0;  // block
};

TEST_P(EveryInstruction, ChainsOfComparisons) {
  if (!skip_.empty()) GTEST_SKIP() << skip_;
  const bool hardened = GetParam() == As::Hardened || GetParam() == As::HardenedAny;
  constexpr unsigned kPrograms = 5'000, kAsked = 20;
  unsigned with_tables = 0;
  for (unsigned seed = 0; seed < kPrograms; ++seed) {
    std::mt19937 random(seed);
    const auto reg = static_cast<unsigned>(1 + random() % 8);
    Comparisons comparisons(random, reg);
    load(comparisons.make());
    if (seed % kAsked == 0)
      with_tables += std::ranges::count(jit::pieces(*compiled_), jit::Piece::kTable, &jit::Piece::insn) != 0;
    agree_around(reg, comparisons.numbers);
    if (HasFatalFailure()) FAIL() << "seed " << seed;
  }
  if (hardened)
    EXPECT_EQ(with_tables, 0U);
  else
    EXPECT_GT(with_tables, kPrograms / kAsked / 8);
}

// What is greater than the greatest immediate begins at a number that is none.
TEST_P(EveryInstruction, ChainsUpToTheGreatestNumber) {
  if (!skip_.empty()) GTEST_SKIP() << skip_;
  constexpr std::int32_t kGreatest = std::numeric_limits<std::int32_t>::max();
  for (const auto& [greater, equal] : {std::pair{Op::JGt32Imm, Op::JEq32Imm}, std::pair{Op::JSgt32Imm, Op::JEq32Imm},
                                       std::pair{Op::JGt64Imm, Op::JEq64Imm}, std::pair{Op::JSgt64Imm, Op::JEq64Imm}})
    for (const std::int32_t step : {1, 1000})
      for (std::int32_t count = 50; count < 66; ++count) {
        std::vector<std::int32_t> numbers;
        std::vector<Insn> insns;
        const auto jump = [&](Op op, std::int32_t number, std::int32_t target) {
          insns.push_back(made(op, isa::form(op) == Form::JumpImm, 0,
                               static_cast<std::int16_t>(target - static_cast<std::int32_t>(insns.size()) - 1),
                               number));
        };
        // Each leads to two instructions that set r0 and go to the end; so do two more, for greater ones and all
        // others.
        const std::int32_t places = count + 3, end = places + 2 * (count + 3);
        for (std::int32_t i = 0; i < count; ++i) {
          numbers.push_back(kGreatest - 4 - i * step);
          jump(equal, numbers.back(), places + 2 * i);
        }
        jump(greater, kGreatest, places + 2 * count);
        jump(greater, kGreatest - 3, places + 2 * count + 2);
        jump(Op::Goto, 0, places + 2 * count + 4);
        numbers.push_back(kGreatest);
        for (std::int32_t i = 0; i < count + 3; ++i) {
          insns.push_back(made(Op::Mov64Imm, 0, 0, 0, i));
          jump(Op::Goto, 0, end);
        }
        load(insns);
        agree_around(1, numbers);
        if (HasFatalFailure()) FAIL() << count << " steps of " << step;
      }
}

}  // namespace
}  // namespace skep::runtime
