// Helpers that are a few instructions: written where they are called, as inlined_calls.cc found.
#include <bit>
#include <cerrno>
#include <cstddef>

#include "jit/x64/compiler.h"
#include "spec/helpers.h"
#include "spec/uapi.h"

namespace skep::jit::x64 {

using spec::HelperId;

// How many slots were done: the call, and perhaps what comes behind it.
std::uint32_t Compiler::write_inline(const At& at) {
  const InlinedCall& call = survey_.inlined_at(at.slot);
  if (static_cast<HelperId>(at.insn.imm) == HelperId::get_smp_processor_id) {
    a_.load(Width::W32, Reg::Rax, field(kCallOffsets.cpu));
    return 1;
  }
  if (static_cast<HelperId>(at.insn.imm) == HelperId::loop) return loop(call);
  if (at.insn.imm == kTailCall) return tail_call(call.recipe), 1;
  if (call.recipe == nullptr) return find_in_unknown(at);
  if (call.recipe->references) return find_inner_map(at, *call.recipe);
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

// An element of a map of which nothing is known but its address, in r1: perhaps it is an array.
std::uint32_t Compiler::find_in_unknown(const At& at) {
  const Label call = a_.label(), done = a_.label();
  a_.load(Width::W32, kScratch, Mem{reg(2), 0});
  a_.alu(Alu::Cmp, Width::W32, kScratch, Mem{reg(1), kOtherOffsets.entries});
  a_.jump(Condition::AE, call);
  a_.imul(Width::W64, kScratch, Mem{reg(1), kOtherOffsets.stride});
  a_.load(Width::W64, Reg::Rax, Mem{reg(1), kOtherOffsets.base});
  a_.alu(Alu::Add, Width::W64, Reg::Rax, kScratch);
  a_.jump(done);
  a_.bind(call);
  call_body(order_.values[at.slot]);
  a_.bind(done);
  return 1;
}

// The map in a slot of an array of maps.
std::uint32_t Compiler::find_inner_map(const At& at, const maps::Recipe& recipe) {
  const Label unknown = a_.label(), done = a_.label();
  a_.load(Width::W32, kScratch, Mem{reg(2), 0});
  a_.mov(Reg::Rax, 0);
  load_reference(recipe, done);
  load_known(kOtherOffsets.known_maps, unknown);
  a_.load(Width::W64, Reg::Rax, Mem{kScratch, kOtherOffsets.object});
  a_.jump(done);
  a_.bind(unknown);
  call_body(order_.values[at.slot]);
  a_.bind(done);
  return 1;
}

// rax becomes the reference in the slot whose index is in kScratch. Where there is no such slot rax stays as it is, and
// an empty one is 0.
void Compiler::load_reference(const maps::Recipe& recipe, Label none) {
  a_.alu(Alu::Cmp, Width::W32, kScratch, static_cast<std::int32_t>(recipe.entries));
  a_.jump(Condition::AE, none);
  a_.mov(Reg::Rax, recipe.base);
  a_.load(Width::W64, Reg::Rax, Indexed{Reg::Rax, kScratch, 3, 0});
  a_.test(Width::W64, Reg::Rax, Reg::Rax);
  a_.jump(Condition::E, none);
}

// kScratch becomes the address of the exec::Known of the reference in rax; uses kScratch2.
void Compiler::load_known(std::int32_t table, Label unknown) {
  a_.load(Width::W64, kScratch, field(kCallOffsets.host));
  a_.load(Width::W64, kScratch, Mem{kScratch, table});
  a_.test(Width::W64, kScratch, kScratch);
  a_.jump(Condition::E, unknown);
  a_.mov(Width::W32, kScratch2, Reg::Rax);  // the id
  a_.alu(Alu::And, Width::W32, kScratch2, static_cast<std::int32_t>(exec::kKnownSlots - 1));
  a_.load(Width::W64, kScratch, Indexed{kScratch, kScratch2, 3, 0});
  a_.test(Width::W64, kScratch, kScratch);
  a_.jump(Condition::E, unknown);
  a_.alu(Alu::Cmp, Width::W64, Reg::Rax, Mem{kScratch, kOtherOffsets.reference});
  a_.jump(Condition::NE, unknown);
}

// Tail-calls the program in slot r3 of a known array, if it is compiled and known here.
void Compiler::jump_to_program(const maps::Recipe& recipe, Label nowhere, Label unknown) {
  a_.alu(Alu::Cmp, Width::W32, field(kCallOffsets.tail_calls), static_cast<std::int32_t>(isa::kMaxTailCalls));
  a_.jump(Condition::AE, nowhere);
  a_.mov(Width::W32, kScratch, reg(3));
  load_reference(recipe, nowhere);
  load_known(kOtherOffsets.known_programs, unknown);
  a_.load(Width::W64, kScratch, Mem{kScratch, kOtherOffsets.object});
  a_.load(Width::W64, Reg::Rax, Mem{kScratch, kOtherOffsets.jump_target});
  a_.test(Width::W64, Reg::Rax, Reg::Rax);
  a_.jump(Condition::E, unknown);
  a_.alu(Alu::Add, Width::W32, field(kCallOffsets.tail_calls), 1);
  a_.store(Width::W64, field(kCallOffsets.program), kScratch);
  go_on_in_other();
}

// bpf_loop(r1 times, r2 function, r3 context, r4 flags): the number of calls, up to one that returns something else
// than 0. The registers that the loop keeps its own in are the callers' as much as any function's.
std::uint32_t Compiler::loop(const InlinedCall& call) {
  constexpr Reg kIndex = Reg::Rbx, kTimes = Reg::R13, kContext = Reg::R14;
  const Label done = a_.label(), end = a_.label(), again = a_.label();
  a_.mov(Reg::Rax, static_cast<std::uint64_t>(-EINVAL));
  a_.test(Width::W64, reg(4), reg(4));
  a_.jump(Condition::NE, done);
  a_.mov(Reg::Rax, static_cast<std::uint64_t>(-E2BIG));
  a_.alu(Alu::Cmp, Width::W32, reg(1), static_cast<std::int32_t>(spec::kMaxLoops));
  a_.jump(Condition::A, done);
  for (const Reg kept : {kIndex, kTimes, kContext}) push(kept);
  push(kContext);  // a fourth, so that the stack stays aligned
  a_.mov(Width::W32, kTimes, reg(1));
  a_.mov(Width::W64, kContext, reg(3));
  a_.mov(kIndex, 0);
  a_.test(Width::W32, kTimes, kTimes);
  a_.jump(Condition::E, end);
  a_.align();
  a_.bind(again);
  a_.mov(Width::W32, reg(1), kIndex);
  a_.mov(Width::W64, reg(2), kContext);
  for (const unsigned number : {3U, 4U, 5U})
    if ((survey_.functions[call.callback].arguments >> number & 1U) != 0) a_.mov(reg(number), 0);
  a_.call(label_of_function(call.callback));
  a_.alu(Alu::Add, Width::W32, kIndex, 1);
  a_.test(Width::W64, Reg::Rax, Reg::Rax);
  a_.jump(Condition::NE, end);
  a_.alu(Alu::Cmp, Width::W32, kIndex, kTimes);
  a_.jump(Condition::B, again);
  a_.bind(end);
  a_.mov(Width::W32, Reg::Rax, kIndex);
  pop(kContext);
  for (const Reg kept : {kContext, kTimes, kIndex}) pop(kept);
  a_.bind(done);
  return 1;
}

}  // namespace skep::jit::x64
