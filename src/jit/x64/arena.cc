// Memory of an arena: pointers of 32 bits, which may lead anywhere. What is beyond the arena's end is not there: loads
// find zero, stores and atomics do nothing.
#include "jit/x64/compiler.h"

namespace skep::jit::x64 {

// A load, store or atomic, from kScratch on instead of its register.
void Compiler::access_arena(const At& at) {
  using enum isa::Form;
  const spec::ArenaPlace& arena = order_.arena;
  const isa::Form form = isa::form(at.op);
  const bool only_loads = form == Load || form == LoadSx || form == LoadAcquire;
  const Reg to = reg(at.insn.dst);
  const Reg pointer = only_loads ? reg(at.insn.src) : to;
  const auto distance = static_cast<std::uint32_t>(std::int32_t{at.insn.off}) - arena.first_half();
  const auto last = static_cast<std::uint32_t>(arena.bytes - isa::access_bytes(at.op));
  const Label behind = a_.label();
  a_.lea(Width::W32, kScratch, Mem{pointer, static_cast<std::int32_t>(distance)});
  if (only_loads) a_.alu(Alu::Xor, Width::W32, to, to);
  a_.alu(Alu::Cmp, Width::W32, kScratch, static_cast<std::int32_t>(last));
  a_.jump(Condition::A, behind);
  a_.mov(kScratch2, reinterpret_cast<std::uint64_t>(arena.pages));
  a_.alu(Alu::Add, Width::W64, kScratch, kScratch2);
  a_.reserve();
  At there = at;
  there.in_arena = true;
  (this->*kForms[static_cast<std::size_t>(form)])(there);
  a_.bind(behind);
}

// To a user's address: his upper half before the lower one, unless that is NULL.
void Compiler::CastAddrSpace(const At& at) {
  const spec::ArenaPlace& arena = order_.arena;
  const Reg to = reg(at.insn.dst);
  const Label behind = a_.label();
  a_.mov(Width::W32, to, reg(at.insn.src));
  a_.test(Width::W32, to, to);
  a_.jump(Condition::E, behind);
  const auto upper = [&](std::uint32_t half) { a_.mov(kScratch, std::uint64_t{half} << 32); };
  upper(arena.upper_half());
  if (arena.crosses()) {
    const Label low = a_.label();
    a_.alu(Alu::Cmp, Width::W32, to, static_cast<std::int32_t>(arena.first_half()));
    a_.jump(Condition::AE, low);
    upper(arena.upper_half() + 1);
    a_.bind(low);
  }
  a_.alu(Alu::Or, Width::W64, to, kScratch);
  a_.bind(behind);
}

}  // namespace skep::jit::x64
