// Loads, stores and atomics.
#include "jit/x64/compiler.h"

namespace skep::jit::x64 {

Mem Compiler::at_source(const At& at) noexcept {
  return at.in_arena ? Mem{kScratch, 0} : Mem{kRegs[at.insn.src], at.insn.off};
}
Mem Compiler::at_destination(const At& at) noexcept {
  return at.in_arena ? Mem{kScratch, 0} : Mem{kRegs[at.insn.dst], at.insn.off};
}

void Compiler::LoadImm64(const At& at) {
  const Reg to = reg(at.insn.dst);
  if (at.op == Op::LdFunc) {
    const auto target = *isa::subprog_target(at.op, at.insn, at.slot);
    return a_.lea(to, label_of_function(survey_.function_at(static_cast<std::uint32_t>(target))));
  }
  load_number(to, order_.values[at.slot]);
}

void Compiler::Load(const At& at) { a_.load(at.width, reg(at.insn.dst), at_source(at)); }
void Compiler::LoadSx(const At& at) { a_.load_signed(at.width, reg(at.insn.dst), at_source(at)); }
void Compiler::StoreImm(const At& at) {
  const Source what = constant(at, kScratch2);
  if (what.is_register) return a_.store(at.width, at_destination(at), what.reg);
  a_.store(at.width, at_destination(at), what.number);
}
void Compiler::StoreReg(const At& at) { a_.store(at.width, at_destination(at), reg(at.insn.src)); }

// Loads and stores are in order on x86 as these ask for.
void Compiler::LoadAcquire(const At& at) { Load(at); }
void Compiler::StoreRelease(const At& at) { StoreReg(at); }

namespace {
// Of an AtomicOp that is an operation of x86.
Alu alu_of(isa::AtomicOp op) {
  switch (op) {
    case isa::AtomicOp::Or: return Alu::Or;
    case isa::AtomicOp::And: return Alu::And;
    case isa::AtomicOp::Xor: return Alu::Xor;
    case isa::AtomicOp::Add:
    case isa::AtomicOp::Xchg:
    case isa::AtomicOp::CmpXchg: break;
  }
  return Alu::Add;
}
}  // namespace

void Compiler::Atomic(const At& at) {
  a_.lock();
  a_.alu(alu_of(isa::atomic_op(at.op)), at.width, at_destination(at), reg(at.insn.src));
}

void Compiler::AtomicFetch(const At& at) {
  const Mem where = at_destination(at);
  const Reg value = reg(at.insn.src);
  const isa::AtomicOp op = isa::atomic_op(at.op);
  if (op == isa::AtomicOp::Xchg) return a_.xchg(at.width, where, value);
  if (op != isa::AtomicOp::Add) return fetch_by_loop(at.width, alu_of(op), where, value);
  a_.lock();
  a_.xadd(at.width, where, value);
}

// x86 cannot fetch with these: the old value is compared and exchanged until nobody came between.
void Compiler::fetch_by_loop(Width width, Alu what, Mem where, Reg value) {
  a_.mov(Width::W64, kScratch2, Reg::Rax);
  const Reg operand = value == Reg::Rax ? kScratch2 : value;
  if (where.base == Reg::Rax) {
    a_.mov(Width::W64, kScratch, Reg::Rax);
    where.base = kScratch;
  }
  a_.load(width, Reg::Rax, where);
  const std::uint32_t again = a_.size();
  a_.mov(Width::W64, kScratch3, Reg::Rax);
  a_.alu(what, width, kScratch3, operand);
  a_.lock();
  a_.cmpxchg(width, where, kScratch3);
  a_.back(Condition::NE, again);
  if (value == Reg::Rax) return;
  a_.mov(width, value, Reg::Rax);
  a_.mov(Width::W64, Reg::Rax, kScratch2);
}

void Compiler::AtomicCmpXchg(const At& at) {
  a_.lock();
  a_.cmpxchg(at.width, at_destination(at), reg(at.insn.src));
  if (at.width == Width::W32) a_.mov(Width::W32, Reg::Rax, Reg::Rax);  // where it was equal the old one is untouched
}

}  // namespace skep::jit::x64
