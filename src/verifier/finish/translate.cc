#include "verifier/finish/translate.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/bytes.h"
#include "isa/op.h"
#include "spec/helpers.h"
#include "spec/uapi.h"
#include "verifier/finish/patch.h"

namespace skep::verifier {
namespace {

using isa::AluOp;
using isa::Insn;
using isa::Op;
using spec::InlinedLoop;
using spec::PointerMask;

constexpr unsigned kScratch = 11;  // a register that programs do not have
constexpr unsigned kFrame = 10;
constexpr std::uint32_t kLoopRegisters = 3;

struct Operands {
  unsigned dst = 0, src = 0;
  int off = 0;
  std::int32_t imm = 0;
};
Insn make(Op op, const Operands& operands) {
  Insn insn = isa::encode(op);
  insn.dst = operands.dst & 0xf;
  if (operands.src != 0) insn.src = operands.src & 0xf;
  if (operands.off != 0) insn.off = static_cast<std::int16_t>(operands.off);
  if (operands.imm != 0) insn.imm = operands.imm;
  return insn;
}
Insn skip(int distance) { return make(Op::Goto, {.off = distance}); }
// The instruction, on halves when the division is.
Insn sized(bool wide, Op full, Op half, const Operands& operands) { return make(wide ? full : half, operands); }

using Code = std::vector<Insn>;

// ---- Divisions

bool is_division(Op op) {
  const isa::Form form = isa::form(op);
  if (form != isa::Form::AluReg && form != isa::Form::AluImm) return false;
  const AluOp alu = isa::alu_op(op);
  return alu == AluOp::Div || alu == AluOp::Mod || alu == AluOp::SDiv || alu == AluOp::SMod;
}

// By -1: negation, and no remainder.
Code by_minus_one(Op op, const Insn& insn) {
  const bool wide = isa::bits(op) == 64;
  if (isa::alu_op(op) == AluOp::SDiv) return {sized(wide, Op::Neg64, Op::Neg32, {.dst = insn.dst})};
  return {make(Op::Mov32Imm, {.dst = insn.dst})};
}

Code unsigned_division(Op op, const Insn& insn) {
  const bool wide = isa::bits(op) == 64;
  const unsigned dst = insn.dst, src = insn.src;
  if (isa::alu_op(op) == AluOp::Div)
    return {sized(wide, Op::JNe64Imm, Op::JNe32Imm, {.dst = src, .off = 2}),
            make(Op::Xor32Reg, {.dst = dst, .src = dst}), skip(1), insn};
  Code code{sized(wide, Op::JEq64Imm, Op::JEq32Imm, {.dst = src, .off = wide ? 1 : 2}), insn};
  if (!wide) code.insert(code.end(), {skip(1), make(Op::Mov32Reg, {.dst = dst, .src = dst})});
  return code;
}

// Divisors 0 and -1 are those that are at most 1 after 1 was added.
Code signed_division(Op op, const Insn& insn) {
  const bool wide = isa::bits(op) == 64;
  const bool divides = isa::alu_op(op) == AluOp::SDiv;
  const unsigned dst = insn.dst;
  Code code{make(Op::Mov64Reg, {.dst = kScratch, .src = insn.src}),
            sized(wide, Op::Add64Imm, Op::Add32Imm, {.dst = kScratch, .imm = 1}),
            sized(wide, Op::JGt64Imm, Op::JGt32Imm, {.dst = kScratch, .off = divides ? 4 : 3, .imm = 1})};
  if (divides) {
    code.insert(code.end(), {sized(wide, Op::JEq64Imm, Op::JEq32Imm, {.dst = kScratch, .off = 1}),
                             sized(wide, Op::Mov64Imm, Op::Mov32Imm, {.dst = dst}),
                             sized(wide, Op::Neg64, Op::Neg32, {.dst = dst}), skip(1), insn});
    return code;
  }
  code.insert(code.end(), {sized(wide, Op::JEq64Imm, Op::JEq32Imm, {.dst = kScratch, .off = wide ? 3 : 4, .imm = 1}),
                           make(Op::Mov32Imm, {.dst = dst}), skip(1), insn});
  if (!wide) code.insert(code.end(), {skip(1), make(Op::Mov32Reg, {.dst = dst, .src = dst})});
  return code;
}

Code division(Op op, const Insn& insn) {
  const AluOp alu = isa::alu_op(op);
  const bool is_signed = alu == AluOp::SDiv || alu == AluOp::SMod;
  if (isa::form(op) == isa::Form::AluImm) return is_signed && insn.imm == -1 ? by_minus_one(op, insn) : Code{};
  return is_signed ? signed_division(op, insn) : unsigned_division(op, insn);
}

// ---- Calls

// The number of the CPU, which lies at the same place of every CPU's memory.
Code cpu_number() {
  Insn per_cpu = make(Op::Mov64Reg, {});
  per_cpu.off = -1;
  return {make(Op::Mov32Imm, {}), per_cpu, make(Op::Load32, {})};
}

// A variable of the kernel.
Code jiffies() { return {make(Op::LdImm64, {}), Insn{}, make(Op::Load64, {})}; }

Code helper(const Insn& insn) {
  switch (static_cast<spec::HelperId>(insn.imm)) {
    case spec::HelperId::get_smp_processor_id: return cpu_number();
    case spec::HelperId::jiffies64: return jiffies();
    case spec::HelperId::kptr_xchg: return {make(Op::Mov64Reg, {.dst = 0, .src = 2}), make(Op::Xchg64, {.dst = 1})};
    default: return {};
  }
}

// A load from the packet: a call of the kernel's, which ends the program when there is no such place.
Code packet_load(isa::Form form, const Insn& insn) {
  Code code;
  if (form == isa::Form::PacketAbs) {
    code.push_back(make(Op::Mov64Imm, {.dst = 2, .imm = insn.imm}));
  } else {
    code.push_back(make(Op::Mov64Reg, {.dst = 2, .src = insn.src}));
    if (insn.imm != 0) code.push_back(make(Op::Add64Imm, {.dst = 2, .imm = insn.imm}));
  }
  code.insert(code.end(), {make(Op::Mov64Reg, {.dst = 1, .src = 6}), make(Op::CallHelper, {}),
                           make(Op::JSge64Imm, {.off = 2}), make(Op::Xor32Reg, {}), make(Op::Exit, {})});
  return code;
}

// A loop around a call, with r6 to r8 kept on the stack. `offset`: where, the lowest.
Code loop(std::int32_t offset, std::int32_t to_callback) {
  constexpr unsigned kMost = 6, kCount = 7, kContext = 8;
  const auto slot = [&](unsigned reg) { return offset + static_cast<std::int32_t>(reg - kMost) * 8; };
  Code code{make(Op::JLe64Imm, {.dst = 1, .off = 2, .imm = spec::kMaxLoops}), make(Op::Mov32Imm, {.imm = -E2BIG}),
            skip(16)};
  for (const unsigned reg : {kMost, kCount, kContext})
    code.push_back(make(Op::StoreReg64, {.dst = kFrame, .src = reg, .off = slot(reg)}));
  code.insert(
      code.end(),
      {make(Op::Mov64Reg, {.dst = kMost, .src = 1}), make(Op::Mov32Imm, {.dst = kCount}),
       make(Op::Mov64Reg, {.dst = kContext, .src = 3}), make(Op::JGe64Reg, {.dst = kCount, .src = kMost, .off = 5}),
       make(Op::Mov64Reg, {.dst = 1, .src = kCount}), make(Op::Mov64Reg, {.dst = 2, .src = kContext}),
       make(Op::CallLocal, {.imm = to_callback}), make(Op::Add64Imm, {.dst = kCount, .imm = 1}),
       make(Op::JEq64Imm, {.dst = 0, .off = -6}), make(Op::Mov64Reg, {.dst = 0, .src = kCount})});
  for (const unsigned reg : {kMost, kCount, kContext})
    code.push_back(make(Op::Load64, {.dst = reg, .src = kFrame, .off = slot(reg)}));
  return code;
}
constexpr std::size_t kCallInLoop = 12;

// ---- Against speculation

// A scratch register becomes the operand where that is within the limit, else zero: all its bits follow from signs.
Code masked(const Insn& insn, const PointerMask& mask) {
  const bool pointer_is_destination = (mask.how & PointerMask::Destination) == 0;
  const bool is_known = (mask.how & PointerMask::Constant) != 0, is_negative = (mask.how & PointerMask::Negative) != 0;
  const unsigned number = pointer_is_destination ? insn.src : insn.dst;
  const Insn limit = make(Op::Mov32Imm, {.dst = kScratch, .imm = static_cast<std::int32_t>(mask.limit)});
  const Insn negate = make(Op::Mul64Imm, {.dst = number, .imm = -1});
  Code code;
  if (is_known) {
    code = {limit};
  } else {
    if (is_negative) code.push_back(negate);
    code.insert(code.end(), {limit, make(Op::Sub64Reg, {.dst = kScratch, .src = number}),
                             make(Op::Or64Reg, {.dst = kScratch, .src = number}), make(Op::Neg64, {.dst = kScratch}),
                             make(Op::Arsh64Imm, {.dst = kScratch, .imm = 63}),
                             make(Op::And64Reg, {.dst = kScratch, .src = number})});
  }
  if (!pointer_is_destination) code.push_back(make(Op::Mov64Reg, {.dst = insn.dst, .src = insn.src}));
  const bool adds = (isa::decode(insn) == Op::Add64Reg) != is_negative;
  code.push_back(make(adds ? Op::Add64Reg : Op::Sub64Reg, {.dst = insn.dst, .src = kScratch}));
  if (pointer_is_destination && is_negative && !is_known) code.push_back(negate);
  return code;
}

// An instruction that only Linux has, for itself: nothing behind it begins before what is before it is done.
constexpr Insn kBarrier{.code = 0xc2, .dst = 0, .src = 0, .off = 0, .imm = 0};

class Translator {
 public:
  Translator(std::span<const Insn> insns, std::span<const ShownFunction> functions, const spec::Rewrites& rewrites,
             std::span<const std::int32_t> casts)
      : insns_(insns), functions_(functions), rewrites_(rewrites), casts_(casts), patch_(insns) {}

  std::optional<Shown> run() {
    for (std::size_t f = 0; f < functions_.size(); ++f) {
      const std::size_t end = f + 1 < functions_.size() ? functions_[f + 1].start : insns_.size();
      function(functions_[f], end);
    }
    auto done = patch_.done();
    if (!done) return std::nullopt;
    Shown shown{*std::move(done), {}};
    for (std::size_t i = 0; i <= insns_.size(); ++i) shown.moved.push_back(patch_.moved(i));
    for (const InlinedLoop& inlined : rewrites_.loops) {
      const std::uint32_t call = shown.moved[inlined.insn] + kCallInLoop;
      shown.insns[call].imm = static_cast<std::int32_t>(shown.moved[inlined.callback] - call) - 1;
    }
    number_callees(shown);
    return shown;
  }

 private:
  // Calls have the callee's number, and the distance where there is room for 16 bits of it; addresses of functions
  // have the number in their second slot.
  void number_callees(Shown& shown) const {
    for (std::size_t i = 0; i < shown.insns.size(); i += isa::slots(isa::decode(shown.insns[i]))) {
      Insn& insn = shown.insns[i];
      const Op op = isa::decode(insn);
      if (op == Op::LdFunc) shown.insns[i + 1].imm = number_of(shown, i + static_cast<std::size_t>(insn.imm) + 1);
      if (op != Op::CallLocal) continue;
      const std::int32_t distance = insn.imm;
      insn.imm = number_of(shown, i + static_cast<std::size_t>(distance) + 1);
      insn.off = static_cast<std::int16_t>(distance);
    }
  }
  std::int32_t number_of(const Shown& shown, std::size_t start) const {
    const auto starts_there = [&](const ShownFunction& function) { return shown.moved[function.start] == start; };
    return static_cast<std::int32_t>(std::ranges::find_if(functions_, starts_there) - functions_.begin());
  }

  void function(const ShownFunction& function, std::size_t end) {
    depth_ = function.stack_depth + (has_loop(function.start, end) ? stack_for_loops(function.stack_depth) : 0);
    const bool counts = has_may_goto(function.start, end);
    for (std::size_t i = function.start; i < end; i += isa::slots(isa::decode(insns_[i]))) {
      jump_ = Patch::kNoJump;
      Code code = replacement(i);
      if (counts && i == function.start) begin_counting(i, code);
      if (!code.empty()) patch_.replace(i, code, jump_);
    }
  }

  bool has_loop(std::size_t from, std::size_t end) const {
    return std::ranges::any_of(rewrites_.loops, [&](const InlinedLoop& l) { return l.insn >= from && l.insn < end; });
  }
  // What is said of the instruction, in a list by instruction; null: nothing.
  template <class T>
  static const T* said_of(std::size_t insn, const std::vector<T>& list) {
    const auto found = std::ranges::lower_bound(list, insn, {}, &T::insn);
    return found != list.end() && found->insn == insn ? &*found : nullptr;
  }
  bool has_barrier_behind(std::size_t at) const {
    const spec::Barrier* barrier = said_of(at, rewrites_.barriers);
    return barrier != nullptr && barrier->where == spec::Barrier::Where::Behind;
  }
  bool has_may_goto(std::size_t from, std::size_t end) const {
    return std::any_of(insns_.begin() + static_cast<std::ptrdiff_t>(from),
                       insns_.begin() + static_cast<std::ptrdiff_t>(end),
                       [](const Insn& insn) { return isa::decode(insn) == Op::MayGoto; });
  }
  std::int32_t counter() const { return -static_cast<std::int32_t>(depth_ + kMayGotoStack); }

  void begin_counting(std::size_t at, Code& code) {
    if (code.empty()) {
      const std::size_t slots = isa::slots(isa::decode(insns_[at]));
      for (std::size_t i = 0; i < slots; ++i) code.push_back(insns_[at + i]);
      if (isa::is_jump(isa::decode(insns_[at])) || isa::decode(insns_[at]) == Op::CallLocal ||
          isa::decode(insns_[at]) == Op::LdFunc)
        jump_ = 0;
    }
    code.insert(code.begin(), make(Op::StoreImm64, {.dst = kFrame, .off = counter(), .imm = spec::kMaxLoops}));
    if (jump_ != Patch::kNoJump) ++jump_;
  }

  Code may_goto() {
    jump_ = 1;
    return {make(Op::Load64, {.dst = kScratch, .src = kFrame, .off = counter()}), make(Op::JEq64Imm, {.dst = kScratch}),
            make(Op::Sub64Imm, {.dst = kScratch, .imm = 1}),
            make(Op::StoreReg64, {.dst = kFrame, .src = kScratch, .off = counter()})};
  }

  Code replacement(std::size_t at) {
    const Insn& insn = insns_[at];
    const Op op = isa::decode(insn);
    if (const PointerMask* mask = said_of(at, rewrites_.masks)) return masked(insn, *mask);
    if (has_barrier_behind(at)) return {insn, kBarrier};
    if (is_division(op)) return division(op, insn);
    if (op == Op::MayGoto) return may_goto();
    const isa::Form form = isa::form(op);
    if (form == isa::Form::PacketAbs || form == isa::Form::PacketInd) return packet_load(form, insn);
    if (op == Op::CallKfunc && std::ranges::find(casts_, insn.imm) != casts_.end())
      return {make(Op::Mov64Reg, {.dst = 0, .src = 1})};
    if (op != Op::CallHelper) return {};
    if (said_of(at, rewrites_.loops) != nullptr) return loop(-static_cast<std::int32_t>(depth_), 0);
    return helper(insn);
  }

  std::span<const Insn> insns_;
  std::span<const ShownFunction> functions_;
  const spec::Rewrites& rewrites_;
  std::span<const std::int32_t> casts_;
  Patch patch_;
  std::uint32_t depth_ = 0;  // of the current function, with the registers of loops
  std::size_t jump_ = Patch::kNoJump;
};

}  // namespace

std::uint32_t stack_for_loops(std::uint32_t stack_depth) noexcept {
  return kLoopRegisters * 8 + static_cast<std::uint32_t>(round_up(stack_depth, 8)) - stack_depth;
}

std::optional<Shown> translate(std::span<const Insn> insns, std::span<const ShownFunction> functions,
                               const spec::Rewrites& rewrites, std::span<const std::int32_t> casts) {
  return Translator(insns, functions, rewrites, casts).run();
}

}  // namespace skep::verifier
