// Arithmetic.
#include <bit>

#include "jit/x64/compiler.h"

namespace skep::jit::x64 {

const std::array<Compiler::AluRow, 256> Compiler::kAluRows = [] {
  std::array<AluRow, 256> rows{};
#define ALU(name, function, operation_) \
  rows[static_cast<std::size_t>(isa::AluOp::name)] = {&Compiler::function, static_cast<std::uint8_t>(operation_)};
#include "jit/x64/alu.def"
  return rows;
}();

void Compiler::AluImm(const At& at) {
  const AluRow& row = kAluRows[static_cast<std::size_t>(isa::alu_op(at.op))];
  // Shifts that count in cl keep it in the first scratch register.
  const Source by = constant(at, row.write == &Compiler::shift ? kScratch2 : kScratch);
  (this->*row.write)(at.width, row.operation, reg(at.insn.dst), by);
}

void Compiler::AluReg(const At& at) {
  const AluRow& row = kAluRows[static_cast<std::size_t>(isa::alu_op(at.op))];
  (this->*row.write)(at.width, row.operation, reg(at.insn.dst), source(at, true));
}

void Compiler::MovImm(const At& at) { AluImm(at); }
void Compiler::MovReg(const At& at) { AluReg(at); }
void Compiler::AluUnary(const At& at) {
  const AluRow& row = kAluRows[static_cast<std::size_t>(isa::alu_op(at.op))];
  (this->*row.write)(at.width, row.operation, reg(at.insn.dst), source(at, false));
}

void Compiler::binary(Width width, std::uint8_t operation, Reg to, Source source) {
  const auto op = static_cast<Alu>(operation);
  if (source.is_register) return a_.alu(op, width, to, source.reg);
  if (source.number == 0 && op != Alu::And) {  // what is left of it is that 32 bits clear the rest
    if (width == Width::W32) a_.mov(width, to, to);
    return;
  }
  if (op == Alu::And && source.number == 0xff) return a_.movzx(Width::W8, to, to);
  if (op == Alu::And && source.number == 0xffff) return a_.movzx(Width::W16, to, to);
  if (op == Alu::And && source.number >= 0) width = Width::W32;
  a_.alu(op, width, to, source.number);
}

void Compiler::multiply(Width width, std::uint8_t, Reg to, Source source) {
  if (source.is_register) return a_.imul(width, to, source.reg);
  const std::int32_t by = source.number;
  if (by == 3 || by == 5 || by == 9)
    return a_.lea(width, to,
                  Indexed{to, to, static_cast<std::uint8_t>(std::countr_zero(static_cast<unsigned>(by - 1))), 0});
  if (by > 1 && std::has_single_bit(static_cast<unsigned>(by)))
    return a_.shift(x64::Shift::Shl, width, to, static_cast<std::uint8_t>(std::countr_zero(static_cast<unsigned>(by))));
  a_.imul(width, to, to, by);
}

void Compiler::shift(Width width, std::uint8_t operation, Reg to, Source source) {
  const auto what = static_cast<x64::Shift>(operation);
  if (!source.is_register) {
    const auto by = static_cast<std::uint8_t>(static_cast<unsigned>(source.number) & (width == Width::W64 ? 63U : 31U));
    if (by != 0) return a_.shift(what, width, to, by);
    if (width == Width::W32) a_.mov(width, to, to);
    return;
  }
  if (order_.features.bmi2) return a_.shift(what, width, to, to, source.reg);
  shift_without_bmi2(width, what, to, source.reg);
}

// Only cl can say how far.
void Compiler::shift_without_bmi2(Width width, x64::Shift what, Reg to, Reg by) {
  if (by == Reg::Rcx && to != Reg::Rcx) return a_.shift_by_cl(what, width, to);
  a_.mov(Width::W64, kScratch, Reg::Rcx);
  if (by != Reg::Rcx) a_.mov(Width::W64, Reg::Rcx, by);
  if (to == Reg::Rcx) {
    a_.shift_by_cl(what, width, kScratch);
    return a_.mov(Width::W64, Reg::Rcx, kScratch);
  }
  a_.shift_by_cl(what, width, to);
  a_.mov(Width::W64, Reg::Rcx, kScratch);
}

void Compiler::move(Width width, std::uint8_t, Reg to, Source source) {
  if (source.is_register) {
    if (width == Width::W32 || to != source.reg) a_.mov(width, to, source.reg);
  } else if (width == Width::W32) {
    a_.mov(to, static_cast<std::uint32_t>(source.number));
  } else {
    a_.mov(to, static_cast<std::uint64_t>(std::int64_t{source.number}));
  }
}

void Compiler::extend(Width width, std::uint8_t operation, Reg to, Source source) {
  a_.movsx(static_cast<Width>(operation), width, to, source.reg);
}

void Compiler::negate(Width width, std::uint8_t, Reg to, Source) { a_.unary(Unary::Neg, width, to); }

void Compiler::truncate(Width, std::uint8_t operation, Reg to, Source) {
  const auto kept = static_cast<Width>(operation);
  if (kept == Width::W16) a_.movzx(kept, to, to);
  if (kept == Width::W32) a_.mov(kept, to, to);
}

void Compiler::swap_bytes(Width, std::uint8_t operation, Reg to, Source) {
  const auto kept = static_cast<Width>(operation);
  if (kept != Width::W16) return a_.bswap(kept, to);
  a_.shift(x64::Shift::Rol, Width::W16, to, 8);
  a_.movzx(Width::W16, to, to);
}

// ---- Division

namespace {
constexpr bool is_signed(Division what) {
  return what == Division::SignedQuotient || what == Division::SignedRemainder;
}
constexpr bool is_quotient(Division what) { return what == Division::Quotient || what == Division::SignedQuotient; }
}  // namespace

void Compiler::divide(Width width, std::uint8_t operation, Reg to, Source source) {
  const auto what = static_cast<Division>(operation);
  if (!source.is_register) {
    if (divide_by_constant(width, what, to, source.number)) return;
    a_.mov(kScratch, width == Width::W32 ? static_cast<std::uint32_t>(source.number)
                                         : static_cast<std::uint64_t>(std::int64_t{source.number}));
    return divide_by(width, what, to, kScratch);
  }
  Reg by = source.reg;
  if (by == Reg::Rax || by == Reg::Rdx) {  // the division's own operands
    a_.mov(Width::W64, kScratch, by);
    by = kScratch;
  }
  const bool of_program = isa::form(survey_.ops[slot_]) == isa::Form::AluReg;  // else a blinded constant
  if (!is_signed(what) && of_program && is_never_zero(width, insn(slot_).src)) return divide_by(width, what, to, by);
  a_.test(width, by, by);
  const std::uint32_t zero = a_.skip(Condition::E);
  std::uint32_t minus_one = 0;
  if (is_signed(what)) {  // the one division that overflows would trap
    a_.alu(Alu::Cmp, width, by, -1);
    minus_one = a_.skip(Condition::E);
  }
  divide_by(width, what, to, by);
  const std::uint32_t done = a_.skip();
  std::uint32_t also_done = done;
  if (is_signed(what)) {
    a_.land(minus_one);
    divide_by_minus_one(width, what, to);
    also_done = a_.skip();
  }
  a_.land(zero);
  divide_by_zero(width, what, to);
  a_.land(done);
  a_.land(also_done);
}

void Compiler::divide_by_zero(Width width, Division what, Reg to) {
  if (is_quotient(what)) {
    a_.mov(to, 0);
  } else if (width == Width::W32) {
    a_.mov(width, to, to);
  }
}

void Compiler::divide_by_minus_one(Width width, Division what, Reg to) {
  if (is_quotient(what)) {
    a_.unary(Unary::Neg, width, to);
  } else {
    a_.mov(to, 0);
  }
}

// By a register that is neither rax nor rdx, and neither 0 nor -1.
void Compiler::divide_by(Width width, Division what, Reg to, Reg by) {
  const bool keep_rax = to != Reg::Rax && !dead_after(slot_, 0), keep_rdx = to != Reg::Rdx && !dead_after(slot_, 2);
  if (keep_rax) a_.mov(Width::W64, kScratch2, Reg::Rax);
  if (to != Reg::Rax) a_.mov(Width::W64, Reg::Rax, to);
  if (keep_rdx) a_.mov(Width::W64, kScratch3, Reg::Rdx);
  if (is_signed(what)) {
    a_.sign_to_rdx(width);
    a_.unary(Unary::Idiv, width, by);
  } else {
    a_.mov(Reg::Rdx, 0);
    a_.unary(Unary::Div, width, by);
  }
  const Reg result = is_quotient(what) ? Reg::Rax : Reg::Rdx;
  if (to != result) a_.mov(Width::W64, to, result);
  if (keep_rax) a_.mov(Width::W64, Reg::Rax, kScratch2);
  if (keep_rdx) a_.mov(Width::W64, Reg::Rdx, kScratch3);
}

// What the verifier's facts say of a number in a register, here; null: nothing.
const spec::Numbers* Compiler::known_number(unsigned number) const {
  const spec::Facts* facts = order_.image.facts.get();
  if (facts == nullptr || slot_ >= facts->entries.size() || !facts->reached(slot_)) return nullptr;
  const spec::Fact& fact = facts->at(slot_, number);
  return fact.kind == spec::Fact::Kind::Number ? &fact.numbers : nullptr;
}

bool Compiler::is_never_zero(Width width, unsigned number) const {
  const spec::Numbers* numbers = known_number(number);
  return numbers != nullptr && (width == Width::W64 ? numbers->excludes_zero() : numbers->low_excludes_zero());
}

bool Compiler::has_no_upper_half(unsigned number) const {
  const spec::Numbers* numbers = known_number(number);
  return numbers != nullptr && numbers->umax <= std::numeric_limits<std::uint32_t>::max();
}

// Constants that need no division; false: this one does.
bool Compiler::divide_by_constant(Width width, Division what, Reg to, std::int32_t number) {
  if (number == 0) return divide_by_zero(width, what, to), true;
  if (is_signed(what) && number == -1) return divide_by_minus_one(width, what, to), true;
  const auto bits = static_cast<std::uint32_t>(number);
  if (is_signed(what)) return false;
  if (number < 0 || !std::has_single_bit(bits)) {
    if (!order_.features.bmi2) return false;
    const std::uint64_t by = width == Width::W32 ? bits : static_cast<std::uint64_t>(std::int64_t{number});
    return multiply_by_inverse(width, what, to, by), true;
  }
  if (is_quotient(what)) {
    shift(width, std::to_underlying(x64::Shift::Shr), to, {false, to, std::countr_zero(bits)});
  } else {
    binary(width, std::to_underlying(Alu::And), to, {false, to, number - 1});
  }
  return true;
}

namespace {

// x / number = upper half of (x * factor), shifted right; with `carries` the factor is 2^64 more than that.
struct Inverse {
  std::uint64_t factor;
  std::uint8_t shift;
  bool carries;
};

// Granlund and Montgomery, "Division by Invariant Integers using Multiplication" (1994): the least shift whose factor,
// rounded up, is exact for every x below 2^bits; with bits = 64 one always is when the factor may have 65 bits.
Inverse inverse_of(std::uint64_t number, unsigned bits) {
  __extension__ using Wide = unsigned __int128;
  const unsigned limit = static_cast<unsigned>(std::bit_width(number - 1));
  for (unsigned shift = 0;; ++shift) {
    // 2^(64 + shift) / number, without its upper bits: quotient and rest by way of 2^64
    const Wide power = Wide{1} << shift;
    const auto top = static_cast<std::uint64_t>(power / number);
    const Wide rest = (power % number) << 64;
    const auto low = static_cast<std::uint64_t>(rest / number);
    const auto too_much = number - static_cast<std::uint64_t>(rest % number);  // of factor * number over the power
    const bool exact = shift == limit || Wide{too_much} << bits <= Wide{1} << (64 + shift);
    if (exact) return {low + 1, static_cast<std::uint8_t>(shift), top != 0};
  }
}

}  // namespace

void Compiler::multiply_by_inverse(Width width, Division what, Reg to, std::uint64_t number) {
  const Inverse inverse = inverse_of(number, width == Width::W32 ? 32 : 64);
  const bool keep_rdx = to != Reg::Rdx && !dead_after(slot_, 2);
  const bool keep_x = to == Reg::Rdx && !is_quotient(what);
  if (width == Width::W32) a_.mov(width, to, to);
  if (keep_rdx || keep_x) a_.mov(Width::W64, kScratch3, Reg::Rdx);
  if (to != Reg::Rdx) a_.mov(Width::W64, Reg::Rdx, to);
  a_.mov(kScratch, inverse.factor);
  a_.mulx(Width::W64, kScratch, kScratch2, kScratch);
  if (inverse.carries) {  // (x + upper) >> shift, where the sum may have 65 bits
    a_.alu(Alu::Sub, Width::W64, Reg::Rdx, kScratch);
    a_.shift(x64::Shift::Shr, Width::W64, Reg::Rdx, 1);
    a_.alu(Alu::Add, Width::W64, kScratch, Reg::Rdx);
  }
  const int shift = inverse.shift - (inverse.carries ? 1 : 0);
  if (shift > 0) a_.shift(x64::Shift::Shr, Width::W64, kScratch, static_cast<std::uint8_t>(shift));
  if (is_quotient(what)) {
    a_.mov(Width::W64, to, kScratch);
  } else {
    if (fits_s32(static_cast<std::int64_t>(number))) {
      a_.imul(Width::W64, kScratch, kScratch, static_cast<std::int32_t>(number));
    } else {
      a_.mov(kScratch2, number);
      a_.imul(Width::W64, kScratch, kScratch2);
    }
    if (keep_x) a_.mov(Width::W64, to, kScratch3);
    a_.alu(Alu::Sub, width, to, kScratch);
  }
  if (keep_rdx) a_.mov(Width::W64, Reg::Rdx, kScratch3);
}

}  // namespace skep::jit::x64
