// Helpers that are a few instructions: written where they are called.
#include <algorithm>
#include <bit>

#include "jit/x64/compiler.h"
#include "spec/helpers.h"

namespace skep::jit::x64 {
namespace {

using isa::Op;
using spec::HelperId;

constexpr std::uint32_t kLookBack = 24;  // slots: calls follow soon on what sets their arguments

}  // namespace

bool Compiler::write_inline(const At& at) {
  const auto helper = static_cast<HelperId>(at.insn.imm);
  if (helper == HelperId::map_lookup_elem) return look_up_inline(at);
  if (helper != HelperId::get_smp_processor_id) return false;
  a_.load(Width::W32, Reg::Rax, field(kCallOffsets.cpu));
  return true;
}

// The recipe of the map that is in r1 on entry to `slot`, if that can be seen from the instructions before it.
const maps::Recipe* Compiler::recipe_of_r1(std::uint32_t slot) const {
  unsigned number = 1;
  for (std::uint32_t i = slot; i > function_->start && slot - i < kLookBack; --i) {
    if (survey_.at(i, Survey::kFirst) && survey_.at(i, Survey::kTarget)) return nullptr;
    if (!survey_.at(i - 1, Survey::kFirst)) continue;
    const Insn& before = insn(i - 1);
    const Op op = survey_.ops[i - 1];
    if ((survey_.uses[i - 1].writes >> number & 1) == 0) continue;
    if (op == Op::Mov64Reg) {
      number = before.src;
      continue;
    }
    if (op != Op::LdMapFd) return nullptr;
    const auto map = order_.values[i - 1];
    const auto found = std::ranges::find(
        order_.recipes, map, [](const maps::Recipe& recipe) { return reinterpret_cast<std::uint64_t>(recipe.map); });
    return found == order_.recipes.end() ? nullptr : &*found;
  }
  return nullptr;
}

// An element of an array: its address from the index that r2 points to, null where it is behind the end.
bool Compiler::look_up_inline(const At& at) {
  const maps::Recipe* recipe = recipe_of_r1(at.slot);
  if (recipe == nullptr || blinds() || !fits_s32(static_cast<std::int64_t>(recipe->stride)) ||
      !fits_s32(static_cast<std::int64_t>(recipe->per_cpu)) || !fits_s32(recipe->entries))
    return false;
  a_.load(Width::W32, Reg::Rax, Mem{Reg::Rdx, 0});
  a_.alu(Alu::Cmp, Width::W64, Reg::Rax, static_cast<std::int32_t>(recipe->entries));
  const std::uint32_t outside = a_.skip(Condition::AE);
  multiply(Width::W64, 0, Reg::Rax, {false, Reg::Rax, static_cast<std::int32_t>(recipe->stride)});
  if (recipe->per_cpu != 0) {
    a_.load(Width::W32, kScratch, field(kCallOffsets.cpu));
    a_.imul(Width::W64, kScratch, kScratch, static_cast<std::int32_t>(recipe->per_cpu));
    a_.alu(Alu::Add, Width::W64, Reg::Rax, kScratch);
  }
  a_.mov(kScratch, recipe->base);
  a_.alu(Alu::Add, Width::W64, Reg::Rax, kScratch);
  const std::uint32_t done = a_.skip();
  a_.land(outside);
  a_.mov(Reg::Rax, 0);
  a_.land(done);
  return true;
}

}  // namespace skep::jit::x64
