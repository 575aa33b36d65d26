// The running kernel's log as the judge of ranges: random programs of arithmetic and conditional jumps, loaded at log
// level 2; every state it prints must be the one computed here, with the rules of its release.
#include <gtest/gtest.h>

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // in <regex>, when g++ 12 builds for sanitizers
#endif

#include <charconv>
#include <map>
#include <random>
#include <regex>
#include <string>
#include <vector>

#include "isa/disasm.h"
#include "isa/op.h"
#include "verifier/domain/alu.h"
#include "verifier/domain/branch.h"
#include "verifier/domain/print.h"
#include "verifier/testing_kernel.h"

namespace skep::verifier {
namespace {

using isa::Insn;
using isa::Op;

constexpr unsigned kValues = 4;  // r6 to r9
constexpr unsigned kFirst = 6;

// A program that goes one way: whatever leaves it ends at an exit.
struct Subject {
  std::vector<Insn> program;
  std::map<std::size_t, std::string> expected;  // by instruction: what the log says of the registers it changed
};

class Generator {
 public:
  Generator(unsigned seed, Rules rules) : random_(seed), rules_(rules) {}

  Subject make() {
    emit(Op::Mov64Imm, 0, 0, 0, 0);
    for (unsigned i = 0; i < kValues; ++i) start(i);
    for (int i = 0; i < 24 && !dead_; ++i) random_() % 3 ? arithmetic() : branch();
    emit(Op::Mov64Imm, 0, 0, 0, 0);
    emit(Op::Exit, 0, 0, 0, 0);
    return std::move(subject_);
  }

 private:
  void emit(Op op, unsigned dst, unsigned src, std::int16_t off, std::int32_t imm) {
    Insn insn = isa::encode(op);
    const auto& form = isa::form_info(op);
    insn.dst = dst & 0xf;
    if (form.fields & isa::kSrc) insn.src = src & 0xf;
    if (form.fields & isa::kOff) insn.off = off;
    if (form.fields & isa::kImm) insn.imm = imm;
    subject_.program.push_back(insn);
  }
  void expect(unsigned value) {
    subject_.expected[subject_.program.size() - 1] +=
        "R" + std::to_string(kFirst + value) + "=" + to_text(values_[value]) + " ";
  }

  void start(unsigned i) {
    const std::int32_t known = immediate();
    const unsigned reg = kFirst + i;
    if (random_() % 8 == 0) {
      emit(Op::Mov64Imm, reg, 0, 0, known);
      values_[i] = Scalar64::constant(static_cast<std::uint64_t>(std::int64_t{known}));
      return;
    }
    // 64 unknown bits: the kernel knows nothing of what this helper returns.
    emit(Op::CallHelper, 0, 0, 0, 5);
    emit(Op::Mov64Reg, reg, 0, 0, 0);
    emit(Op::Mov64Imm, 0, 0, 0, 0);
    values_[i] = Scalar64::unknown();
  }

  std::int32_t immediate() {
    const auto x = static_cast<std::int32_t>(random_());
    switch (random_() % 6) {
      case 0: return x;
      case 1: return x >> (random_() % 32);
      case 2: return 1 << (random_() % 32);
      case 3: return (1 << (random_() % 31)) - 1;
      default: return static_cast<std::int32_t>(random_() % 64) - 16;
    }
  }

  void arithmetic() {
    const unsigned d = random_() % kValues, s = random_() % kValues;
    const Part part = random_() % 2 ? Part::Full : Part::Half;
    if (random_() % 10 == 0) return unary(d, part);
    static constexpr Op kOps[][4] = {
#define ROW(name) {Op::name##32Imm, Op::name##32Reg, Op::name##64Imm, Op::name##64Reg}
        ROW(Add), ROW(Sub), ROW(Mul), ROW(And), ROW(Or), ROW(Xor), ROW(Lsh), ROW(Rsh), ROW(Arsh), ROW(Add), ROW(And)};
#undef ROW
    const auto& row = kOps[random_() % std::size(kOps)];
    const bool shift = row[0] == Op::Lsh32Imm || row[0] == Op::Rsh32Imm || row[0] == Op::Arsh32Imm;
    const bool by_register = random_() % 2 && !shift;
    const Op op = row[(part == Part::Full ? 2 : 0) + (by_register ? 1 : 0)];
    const std::int32_t imm =
        shift ? static_cast<std::int32_t>(random_() % (part == Part::Full ? 64 : 32)) : immediate();
    const Scalar64 src = by_register ? values_[s] : Scalar64::constant(static_cast<std::uint64_t>(std::int64_t{imm}));
    if (explores_both(isa::alu_op(op), values_[d], src)) return;
    emit(op, kFirst + d, kFirst + s, 0, imm);
    alu(isa::alu_op(op), part, values_[d], src, rules_);
    expect(d);
  }

  // 6.18 explores 0 and -1 apart here, which is no matter of the domain.
  static bool explores_both(isa::AluOp op, const Scalar64& dst, const Scalar64& src) {
    const bool masks = op == isa::AluOp::And || op == isa::AluOp::Or;
    return masks && src.is_constant() &&
           ((dst.full.smin == -1 && dst.full.smax == 0) || (dst.half.smin == -1 && dst.half.smax == 0));
  }

  void unary(unsigned d, Part part) {
    const bool full = part == Part::Full;
    switch (random_() % 4) {
      case 0:
        emit(full ? Op::MovSx8To64 : Op::MovSx8To32, kFirst + d, kFirst + d, 0, 0);
        detail::extend_sign<8>(part, values_[d], rules_);
        break;
      case 1:
        emit(full ? Op::MovSx16To64 : Op::MovSx16To32, kFirst + d, kFirst + d, 0, 0);
        detail::extend_sign<16>(part, values_[d], rules_);
        break;
      case 2:
        emit(full ? Op::MovSx32To64 : Op::Mov32Reg, kFirst + d, kFirst + d, 0, 0);
        if (full)
          detail::extend_sign<32>(part, values_[d], rules_);
        else
          move(part, values_[d], values_[d], rules_);
        break;
      default:
        emit(full ? Op::Neg64 : Op::Neg32, kFirst + d, 0, 0, 0);
        negate(part, values_[d], rules_);
        break;
    }
    expect(d);
  }

  // Goes on where the jump is taken, or where it is not; the other way ends at once.
  void branch() {
    static constexpr isa::JumpOp kOps[] = {
#define JUMP(name, ...) isa::JumpOp::name,
#include "isa/jump.def"
    };
    static constexpr Op kForms[][4] = {
#define JUMP(name, ...) {Op::J##name##32Imm, Op::J##name##32Reg, Op::J##name##64Imm, Op::J##name##64Reg},
#include "isa/jump.def"
    };
    const std::size_t which = random_() % std::size(kOps);
    const Part part = random_() % 2 ? Part::Full : Part::Half;
    const bool by_register = random_() % 2;
    const unsigned d = random_() % kValues;
    const unsigned s = (d + 1 + random_() % (kValues - 1)) % kValues;
    const std::int32_t imm = immediate();
    Scalar64 fixed = Scalar64::constant(static_cast<std::uint64_t>(std::int64_t{imm}));
    Scalar64& src = by_register ? values_[s] : fixed;
    if (outcome(kOps[which], part, values_[d], src, rules_) != Outcome::Unknown) return;
    const Side side = random_() % 2 ? Side::Taken : Side::NotTaken;
    const Op op = kForms[which][(part == Part::Full ? 2 : 0) + (by_register ? 1 : 0)];
    refine(kOps[which], part, side, values_[d], src, rules_);
    if (values_[d].contradiction() || src.contradiction()) return give_up();
    if (side == Side::Taken) {
      emit(op, kFirst + d, kFirst + s, 1, imm);
      emit(Op::Exit, 0, 0, 0, 0);
    } else {
      emit(op, kFirst + d, kFirst + s, 1, imm);
      emit(Op::Goto, 0, 0, 1, 0);
      emit(Op::Exit, 0, 0, 0, 0);
    }
    emit(Op::Xor64Imm, kFirst + d, 0, 0, 0);  // shows the register again
    alu(isa::AluOp::Xor, Part::Full, values_[d], Scalar64::constant(0), rules_);
    expect(d);
    if (!by_register) return;
    emit(Op::Xor64Imm, kFirst + s, 0, 0, 0);
    alu(isa::AluOp::Xor, Part::Full, values_[s], Scalar64::constant(0), rules_);
    expect(s);
  }

  void give_up() { dead_ = true; }

  std::mt19937 random_;
  Rules rules_;
  Subject subject_;
  Scalar64 values_[kValues];
  bool dead_ = false;
};

// Without what a domain does not know: ids of linked registers, marks of precision.
std::string without_marks(std::string text) {
  static const std::regex id("id=[0-9]+([+-][0-9]+)?,?"), precise("=P");
  return std::regex_replace(std::regex_replace(text, id, ""), precise, "=");
}

// What the log's line of instruction `index` says, the last time it is visited.
std::map<std::size_t, std::string> printed_states(const std::string& log) {
  std::map<std::size_t, std::string> result;
  for (std::size_t at = 0; at < log.size();) {
    const std::size_t end = std::min(log.find('\n', at), log.size());
    const std::string_view line(log.data() + at, end - at);
    at = end + 1;
    std::size_t index = 0;
    const auto [rest, error] = std::from_chars(line.data(), line.data() + line.size(), index);
    const std::size_t comment = line.find(" ; ");
    if (error != std::errc{} || !std::string_view(rest, 3).starts_with(": (") || comment == line.npos) continue;
    result[index] = without_marks(std::string(line.substr(comment + 3)));
  }
  return result;
}

// "R6_w=5 R7=scalar()" without the marks of liveness: "R6=5 R7=scalar() ".
std::string without_liveness(const std::string& state) {
  static const std::regex mark("(R[0-9]+)_[rwD]+=");
  return std::regex_replace(state, mark, "$1=");
}

TEST(KernelRanges, RandomProgramsPrintTheSameStates) {
  SKEP_NEEDS_KERNEL_BPF();
  std::size_t compared = 0;
  for (unsigned seed = 1; seed <= 400; ++seed) {
    const Subject subject = Generator(seed, testing::rules_of_running_kernel()).make();
    const auto verdict = testing::ask_kernel({.insns = subject.program});
    ASSERT_EQ(verdict.error, 0) << verdict.log;
    const auto printed = printed_states(verdict.log);
    for (const auto& [index, state] : subject.expected) {
      const auto found = printed.find(index);
      ASSERT_NE(found, printed.end()) << "seed " << seed << " instruction " << index << '\n' << verdict.log;
      ASSERT_TRUE((" " + without_liveness(found->second) + " ").contains(" " + state))
          << "seed " << seed << " instruction " << index << ": " << state << '\n'
          << verdict.log;
      ++compared;
    }
  }
  EXPECT_GT(compared, 5000U);
}

}  // namespace
}  // namespace skep::verifier
