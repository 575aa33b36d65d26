// Random programs of arithmetic, jumps, stack accesses and atomics, run plain, counted and checked, against a naive
// evaluator that reads each instruction from the wire form and computes it with isa::eval.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <random>

#include "base/bytes.h"
#include "interp/code.h"
#include "interp/testing.h"
#include "isa/disasm.h"
#include "isa/op.h"

namespace skep::interp {
namespace {

using isa::Form;
using isa::Insn;
using isa::Op;

constexpr std::uint64_t kSteps = 20'000;
constexpr int kPrograms = 400;
constexpr std::size_t kSlots = 8;  // 8-byte words of the stack that programs use

// ---- The oracle: one switch on forms, no caching of anything.
class Naive {
 public:
  // r0 of the program, or nothing when it took more than kSteps instructions.
  std::optional<std::uint64_t> run(const std::vector<Insn>& insns) {
    std::size_t at = 0;
    for (std::uint64_t step = 0; step < kSteps; ++step) {
      const Op op = isa::decode(insns[at]);
      if (op == Op::Exit) return r_[0];
      at = next(insns, at, op);
    }
    return {};
  }

 private:
  std::size_t next(const std::vector<Insn>& insns, std::size_t at, Op op) {
    const Insn& insn = insns[at];
    const Form form = isa::form(op);
    const std::uint64_t imm = static_cast<std::uint64_t>(std::int64_t{insn.imm});
    const bool from_register = form == Form::AluReg || form == Form::MovReg || form == Form::JumpReg;
    const std::uint64_t source = from_register ? r_[insn.src] : imm;
    switch (form) {
      case Form::AluImm:
      case Form::AluReg:
      case Form::MovImm:
      case Form::MovReg:
      case Form::AluUnary:
        r_[insn.dst] = isa::bits(op) == 64 ? isa::eval<64>(isa::alu_op(op), r_[insn.dst], source)
                                           : isa::eval<32>(isa::alu_op(op), r_[insn.dst], source);
        return at + 1;
      case Form::LoadImm64: r_[insn.dst] = isa::imm64(insn, insns[at + 1]); return at + 2;
      case Form::Load: r_[insn.dst] = read(insn.off, isa::bits(op)); return at + 1;
      case Form::LoadSx: {
        const unsigned unused = 64 - isa::bits(op);
        const std::uint64_t value = read(insn.off, isa::bits(op)) << unused;
        r_[insn.dst] = static_cast<std::uint64_t>(static_cast<std::int64_t>(value) >> unused);
        return at + 1;
      }
      case Form::StoreImm: write(insn.off, isa::bits(op), imm); return at + 1;
      case Form::StoreReg: write(insn.off, isa::bits(op), r_[insn.src]); return at + 1;
      case Form::Atomic:
      case Form::AtomicFetch:
      case Form::AtomicCmpXchg: {
        const std::uint64_t old = read(insn.off, isa::bits(op));
        write(insn.off, isa::bits(op),
              isa::bits(op) == 64 ? isa::eval<64>(isa::atomic_op(op), old, r_[insn.src], r_[0])
                                  : isa::eval<32>(isa::atomic_op(op), old, r_[insn.src], r_[0]));
        if (form == Form::AtomicFetch) r_[insn.src] = old;
        if (form == Form::AtomicCmpXchg) r_[0] = old;
        return at + 1;
      }
      case Form::JumpImm:
      case Form::JumpReg: {
        const bool taken = isa::bits(op) == 64 ? isa::holds<64>(isa::jump_op(op), r_[insn.dst], source)
                                               : isa::holds<32>(isa::jump_op(op), r_[insn.dst], source);
        return taken ? static_cast<std::size_t>(*isa::jump_target(op, insn, at)) : at + 1;
      }
      case Form::Goto:
      case Form::GotoLong: return static_cast<std::size_t>(*isa::jump_target(op, insn, at));
      default: ADD_FAILURE() << "the generator made a form the oracle does not know"; return 0;
    }
  }
  std::uint64_t read(std::int16_t off, unsigned bits) const {
    std::uint64_t value = 0;
    for (unsigned i = 0; i < bits / 8; ++i)
      value |= std::uint64_t{stack_[static_cast<std::size_t>(off + 512) + i]} << (8 * i);
    return value;
  }
  void write(std::int16_t off, unsigned bits, std::uint64_t value) {
    for (unsigned i = 0; i < bits / 8; ++i)
      stack_[static_cast<std::size_t>(off + 512) + i] = static_cast<std::uint8_t>(value >> (8 * i));
  }

  std::array<std::uint64_t, 10> r_{};
  std::array<std::uint8_t, 512> stack_{};
};

// Whether there are operands with which `second` behind `first` is run together with it.
bool fusible(Op first, Op second) {
  Insn a = isa::encode(first), b = isa::encode(second);
  a.dst = b.dst = 1;
  if (isa::form(second) == Form::Load) b.dst = 2;
  for (const unsigned src : {0U, 1U, 3U}) {
    if (isa::info(second).select != isa::Select::Src) b.src = src & 0xf;
    if (fused(a, b)) return true;
  }
  return false;
}

// ---- The generator
class Generator {
 public:
  explicit Generator(unsigned seed) : random_(seed) {}

  // A program around one pair of instructions that are run as one, with operands such that they are; empty if none
  // were found. Its result depends on all registers and the stack, and on whether a jump was taken.
  std::vector<Insn> pair(Op first, Op second) {
    std::vector<Insn> insns = start();
    for (std::uint8_t reg = 0; reg < 10; ++reg) {
      insns.push_back(made(Op::LdImm64, reg, 0, 0, pick_imm()));
      insns.push_back({.imm = pick_imm()});
    }
    const Insn a = operands(first), b = operands(second);
    if (!fused(a, b)) return {};
    insns.insert(insns.end(), {a, b, made(Op::Xor64Imm, 9, 0, 0, 0x1234)});
    for (std::uint8_t reg = 1; reg < 10; ++reg) mix(insns, reg);
    for (int slot = 1; slot <= static_cast<int>(kSlots); ++slot) {
      insns.push_back(made(Op::Load64, 1, 10, static_cast<std::int16_t>(-8 * slot), 0));
      mix(insns, 1);
    }
    insns.push_back(isa::encode(Op::Exit));
    return insns;
  }

  std::vector<Insn> program() {
    std::vector<Insn> insns = start();
    for (std::uint8_t reg = 0; reg < 10; ++reg) insns.push_back(made(Op::Mov64Imm, reg, 0, 0, pick_imm()));
    const std::size_t first = insns.size();
    const std::size_t length = 10 + random_() % 60;
    while (insns.size() < first + length) add(insns);
    insns.push_back(isa::encode(Op::Exit));
    aim_jumps(insns, first);
    return insns;
  }

 private:
  static Insn made(Op op, std::uint8_t dst, std::uint8_t src, std::int16_t off, std::int32_t imm) {
    Insn insn = isa::encode(op);
    insn.dst = dst & 0xf;
    insn.src = src & 0xf;
    insn.off = off;
    insn.imm = imm;
    return insn;
  }
  std::vector<Insn> start() {
    std::vector<Insn> insns;
    for (int slot = 1; slot <= static_cast<int>(kSlots); ++slot)
      insns.push_back(made(Op::StoreImm64, 10, 0, static_cast<std::int16_t>(-8 * slot), pick_imm()));
    return insns;
  }
  static void mix(std::vector<Insn>& insns, std::uint8_t reg) {
    insns.push_back(made(Op::Mul64Imm, 0, 0, 0, 31));
    insns.push_back(made(Op::Add64Reg, 0, reg, 0, 0));
  }
  // Few registers, so that the conditions of fusions hold often; memory is the stack, jumps go over one instruction.
  Insn operands(Op op) {
    const auto reg = [&] { return static_cast<std::uint8_t>(1 + random_() % 3); };
    const Form form = isa::form(op);
    const bool loads = form == Form::Load, stores = form == Form::StoreReg;
    Insn insn = made(op, stores ? std::uint8_t{10} : reg(), loads ? std::uint8_t{10} : reg(), 0, pick_imm());
    if (loads || stores) insn.off = static_cast<std::int16_t>(-8 * static_cast<int>(1 + random_() % 3));
    if (isa::is_jump(op)) insn.off = 1;
    const std::uint8_t stray = isa::stray_fields(op, insn);
    if (stray & isa::kDst) insn.dst = 0;
    if (stray & isa::kSrc) insn.src = 0;
    if (stray & isa::kImm) insn.imm = 0;
    return insn;
  }
  std::uint8_t pick_reg() { return static_cast<std::uint8_t>(random_() % 10); }
  std::int32_t pick_imm() {
    static constexpr std::int32_t kEdges[] = {0, 1, -1, 2, 31, 32, 63, 64, 255, -128, 0x7fffffff, -0x7fffffff - 1};
    return random_() % 2 ? kEdges[random_() % std::size(kEdges)] : static_cast<std::int32_t>(random_());
  }

  void add(std::vector<Insn>& insns) {
    const Op op = static_cast<Op>(1 + random_() % (isa::kOps - 1));
    Insn insn = isa::encode(op);
    const auto has = [&](std::uint8_t field) { return (isa::stray_fields(op, with_all(insn)) & field) == 0; };
    switch (isa::form(op)) {
      case Form::AluImm:
      case Form::AluReg:
      case Form::MovImm:
      case Form::MovReg:
      case Form::AluUnary:
      case Form::JumpImm:
      case Form::JumpReg:
        insn.dst = pick_reg() & 0xf;
        if (has(isa::kSrc)) insn.src = pick_reg() & 0xf;
        if (has(isa::kImm) && isa::info(op).select != isa::Select::Imm) insn.imm = pick_imm();
        return insns.push_back(insn);
      case Form::LoadImm64:
        if (op != Op::LdImm64) return;
        insns.push_back(made(op, pick_reg(), 0, 0, pick_imm()));
        return insns.push_back({.imm = pick_imm()});
      case Form::Load:
      case Form::LoadSx:
        insn.dst = pick_reg() & 0xf;
        insn.src = 10;
        break;
      case Form::StoreImm:
        insn.dst = 10;
        insn.imm = pick_imm();
        break;
      case Form::StoreReg:
      case Form::Atomic:
      case Form::AtomicFetch:
      case Form::AtomicCmpXchg:
        insn.dst = 10;
        insn.src = pick_reg() & 0xf;
        break;
      case Form::Goto:
      case Form::GotoLong: return insns.push_back(insn);
      default: return;
    }
    const int size = static_cast<int>(isa::access_bytes(op));
    insn.off =
        static_cast<std::int16_t>(-size * static_cast<int>(1 + random_() % (8 * kSlots / static_cast<unsigned>(size))));
    insns.push_back(insn);
  }
  static Insn with_all(Insn insn) {
    insn.dst = 1;
    insn.src = 1;
    insn.off = insn.off ? insn.off : std::int16_t{0};
    insn.imm = insn.imm ? insn.imm : 1;
    return insn;
  }

  void aim_jumps(std::vector<Insn>& insns, std::size_t first) {
    std::vector<std::size_t> starts;
    for (std::size_t i = first; i < insns.size(); i += isa::slots(isa::decode(insns[i]))) starts.push_back(i);
    for (std::size_t n = 0; n < starts.size(); ++n) {
      const std::size_t i = starts[n];
      const Op op = isa::decode(insns[i]);
      if (!isa::is_jump(op)) continue;
      const std::size_t lowest = random_() % 4 ? std::min(n + 1, starts.size() - 1) : 0;  // mostly forward
      const std::size_t target = starts[lowest + random_() % (starts.size() - lowest)];
      const auto distance = static_cast<std::int32_t>(target) - static_cast<std::int32_t>(i) - 1;
      if (op == Op::GotoLong)
        insns[i].imm = distance;
      else
        insns[i].off = static_cast<std::int16_t>(distance);
    }
  }

  std::mt19937 random_;
};

TEST(Differential, AllModesAgreeWithTheOracle) {
  testing::World world;
  int ended = 0;
  for (unsigned seed = 0; seed < kPrograms; ++seed) {
    exec::Source source;
    source.name = "random";
    source.insns = Generator(seed).program();
    const auto expected = Naive().run(source.insns);
    ended += expected.has_value();
    for (const Policy policy : {Policy::Plain, Policy::Checked}) {
      const auto program = world.load(source, exec::ContextKind::Memory, policy);
      ASSERT_NE(program, nullptr);
      for (const std::uint64_t budget : {std::uint64_t{0}, kSteps}) {
        if (budget == 0 && !expected) continue;  // may never end
        const auto outcome = world.run(*program, nullptr, 0, budget);
        ASSERT_EQ(outcome.stopped, !expected) << outcome.failure.text() << '\n' << isa::disassemble(source.insns);
        if (!expected) continue;
        ASSERT_EQ(outcome.r0, *expected) << "seed " << seed << '\n' << isa::disassemble(source.insns);
      }
    }
  }
  EXPECT_GT(ended, kPrograms / 2) << "most random programs should end";
}

TEST(Differential, PairsRunAsOne) {
  testing::World world;
  Generator generator(1);
  std::size_t pairs = 0, programs = 0;
  for (std::size_t i = 1; i < isa::kOps; ++i)
    for (std::size_t j = 1; j < isa::kOps; ++j) {
      const std::size_t before = programs;
      for (int variant = 0; variant < (fusible(static_cast<Op>(i), static_cast<Op>(j)) ? 100 : 0); ++variant) {
        exec::Source source;
        source.insns = generator.pair(static_cast<Op>(i), static_cast<Op>(j));
        if (source.insns.empty()) continue;
        const auto expected = Naive().run(source.insns);
        const auto program = world.load(source, exec::ContextKind::Memory, Policy::Plain);
        ASSERT_TRUE(program && expected);
        ASSERT_EQ(world.run(*program).r0, *expected) << isa::disassemble(source.insns);
        ++programs;
      }
      pairs += programs != before;
    }
  // all but the loads through what was just computed, which are below
  EXPECT_EQ(pairs + 4, static_cast<std::size_t>(Extra::End) - static_cast<std::size_t>(Extra::ArenaAccess) - 1);
}

TEST(Differential, LoadsThroughWhatWasJustComputed) {
  testing::World world;
  for (const std::string_view bits : {"u8", "u16", "u32", "u64"})
    for (const std::string_view to : {"r1", "r2", "r0"}) {
      const std::string load = fmt::format("{} = *({} *)(r1 -4)\nr0 = {}\nexit", to, bits, to);
      const std::string start = "*(u64 *)(r10 -8) = 0x11223344\n*(u64 *)(r10 -16) = 0x55667788\nr1 = -8\nr2 = r10\n";
      const auto together = world.run(fmt::format("{}r1 += r2\n{}", start, load), Policy::Plain);
      const auto apart = world.run(fmt::format("{}r1 += r2\nr3 = 0\n{}", start, load), Policy::Checked);
      EXPECT_FALSE(apart.stopped) << apart.failure.text();
      EXPECT_EQ(together.r0, apart.r0) << load;
    }
}

// A jump to the second instruction of a pair runs that one alone.
TEST(Differential, TheSecondOfAPairStaysReachable) {
  testing::World world;
  EXPECT_EQ(world.run("r1 = 5\nr0 = 1\ngoto second\nr0 = r1\nsecond: r0 += 10\nexit", Policy::Plain).r0, 11U);
}

}  // namespace
}  // namespace skep::interp
