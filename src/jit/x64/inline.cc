// Helpers that are a few instructions: written where they are called, as inlined_calls.cc found.
#include <bit>

#include "jit/x64/compiler.h"
#include "spec/helpers.h"

namespace skep::jit::x64 {

using spec::HelperId;

// How many slots were done: the call, and perhaps what comes behind it.
std::uint32_t Compiler::write_inline(const At& at) {
  const InlinedCall& call = survey_.inlined_at(at.slot);
  if (static_cast<HelperId>(at.insn.imm) == HelperId::get_smp_processor_id) {
    a_.load(Width::W32, Reg::Rax, field(kCallOffsets.cpu));
    return 1;
  }
  return call.recipe->find != nullptr ? find_element(*call.recipe) : index_element(at, call);
}

// An element of an array: its address from the index, null where it is behind the end. A program compares with null
// next, and goes on from here either way.
std::uint32_t Compiler::index_element(const At& at, const InlinedCall& call) {
  const maps::Recipe& recipe = *call.recipe;
  const Mem key = call.key_in_frame != InlinedCall::kNotInFrame ? Mem{Reg::Rbp, call.key_in_frame} : Mem{Reg::Rdx, 0};
  const std::uint32_t next = at.slot + 1;
  const bool compares = follows(next) && (survey_.ops[next] == Op::JEq64Imm || survey_.ops[next] == Op::JNe64Imm) &&
                        insn(next).dst == 0 && insn(next).imm == 0 && order_.counting == Counting::No;
  const Label behind = compares ? label_of(next + 1) : a_.label();
  const Label elsewhere = compares ? label_of(*isa::jump_target(survey_.ops[next], insn(next), next)) : behind;
  const bool null_is_elsewhere = compares && survey_.ops[next] == Op::JEq64Imm;
  a_.load(Width::W32, kScratch, key);
  a_.mov(Reg::Rax, 0);
  a_.alu(Alu::Cmp, Width::W32, kScratch, static_cast<std::int32_t>(recipe.entries));
  a_.jump(Condition::AE, null_is_elsewhere ? elsewhere : behind);
  address_of_element(recipe);
  if (compares && !null_is_elsewhere) a_.jump(elsewhere);
  if (!compares) a_.bind(behind);
  return compares ? 2 : 1;
}

// rax becomes the address of the element whose index is in kScratch.
void Compiler::address_of_element(const maps::Recipe& recipe) {
  a_.mov(Reg::Rax, recipe.base);
  const bool scales = std::has_single_bit(recipe.stride) && recipe.stride <= 8;
  if (!scales) scale(kScratch, recipe.stride);
  const auto log = static_cast<std::uint8_t>(scales ? std::countr_zero(recipe.stride) : 0);
  a_.lea(Width::W64, Reg::Rax, Indexed{Reg::Rax, kScratch, log, 0});
  add_cpu(recipe);
}

// Multiplies, and may use kScratch2.
void Compiler::scale(Reg what, std::uint64_t by) {
  if (fits_s32(static_cast<std::int64_t>(by)))
    return multiply(Width::W64, 0, what, {false, what, static_cast<std::int32_t>(by)});
  a_.mov(kScratch2, by);
  a_.imul(Width::W64, what, kScratch2);
}

// From the element of CPU 0, whose address is in rax, to that of the CPU the program runs on.
void Compiler::add_cpu(const maps::Recipe& recipe) {
  if (recipe.per_cpu == 0) return;
  a_.load(Width::W32, kScratch, field(kCallOffsets.cpu));
  scale(kScratch, recipe.per_cpu);
  a_.alu(Alu::Add, Width::W64, Reg::Rax, kScratch);
}

// An element of a hash map: its function is called past the helper's body; the key is in rdx for both.
std::uint32_t Compiler::find_element(const maps::Recipe& recipe) {
  a_.mov(Reg::Rdi, reinterpret_cast<std::uint64_t>(recipe.table));
  call_address(reinterpret_cast<std::uint64_t>(recipe.find));
  if (recipe.per_cpu == 0) return 1;
  a_.test(Width::W64, Reg::Rax, Reg::Rax);
  const std::uint32_t none = a_.skip(Condition::E);
  add_cpu(recipe);
  a_.land(none);
  return 1;
}

}  // namespace skep::jit::x64
