// Calls of helpers that are written in their place, and what is known of their arguments.
//
// What sets the arguments is looked for in the instructions before the call; the key's place also in the facts. A call
// that is written in its place reads less than a call does, and what only set the rest is dead then.
#include <algorithm>

#include "jit/x64/survey.h"
#include "spec/helpers.h"

namespace skep::jit::x64 {
namespace {

using isa::Insn;
using isa::Op;
using spec::HelperId;

constexpr std::uint32_t kLookBack = 24;  // slots: calls follow soon on what sets their arguments
constexpr std::uint32_t kUnknown = UINT32_MAX;
constexpr unsigned kFramePointer = 10;
constexpr isa::RegisterSet kMapAndKey = 1U << 1 | 1U << 2;

class Finder {
 public:
  Finder(const exec::Image& image, std::span<const std::uint64_t> values, std::span<const maps::Recipe> recipes,
         Survey& survey)
      : image_(image), values_(values), recipes_(recipes), survey_(survey) {}

  void find() {
    for (const Function& function : survey_.functions) {
      if (!function.calls) continue;
      for (std::uint32_t slot = function.start; slot < function.end; ++slot)
        if (survey_.ops[slot] == Op::CallHelper && (values_[slot] != 0 || image_.insns[slot].imm == kTailCall))
          look_at(slot, function.start);
    }
  }

 private:
  void look_at(std::uint32_t slot, std::uint32_t start) {
    const auto helper = static_cast<HelperId>(image_.insns[slot].imm);
    if (helper == HelperId::get_smp_processor_id) return note({.slot = slot}, 0);
    if (helper == HelperId::tail_call) return look_at_tail_call(slot, start);
    if (helper == HelperId::loop) return look_at_loop(slot, start);
    if (helper == HelperId::map_lookup_elem) look_at_lookup(slot, start);
  }

  // Callbacks that cannot nest further are called by the loop itself.
  void look_at_loop(std::uint32_t slot, std::uint32_t start) {
    const std::uint32_t setter = setter_of(2, slot, start);
    if (setter == kUnknown || survey_.ops[setter] != Op::LdFunc) return;
    const auto target = *isa::subprog_target(Op::LdFunc, image_.insns[setter], setter);
    const std::size_t callback = survey_.function_at(static_cast<std::uint32_t>(target));
    const Function& function = survey_.functions[callback];
    if (!function.is_leaf || function.tail_calls) return;
    note({.slot = slot, .callback = callback}, 1U << 1 | 1U << 3 | 1U << 4);
  }

  void look_at_lookup(std::uint32_t slot, std::uint32_t start) {
    const std::uint32_t setter = setter_of(1, slot, start);
    if (setter == kUnknown || survey_.ops[setter] != Op::LdMapFd) return note({.slot = slot}, kMapAndKey);
    const maps::Recipe* const recipe = recipe_of(values_[setter]);
    if (recipe == nullptr) return;
    if (recipe->references) return note({.slot = slot, .recipe = recipe}, kMapAndKey);
    const std::int32_t key = recipe->find == nullptr ? key_in_frame(slot) : InlinedCall::kNotInFrame;
    note({.slot = slot, .key_in_frame = key, .recipe = recipe},
         static_cast<isa::RegisterSet>(1U << (key == InlinedCall::kNotInFrame ? 2U : kFramePointer)));
  }

  // The array of programs is known: a tail call reads what any does.
  void look_at_tail_call(std::uint32_t slot, std::uint32_t start) {
    const std::uint32_t setter = setter_of(2, slot, start);
    if (setter == kUnknown || survey_.ops[setter] != Op::LdMapFd) return;
    const maps::Recipe* const recipe = recipe_of(values_[setter]);
    if (recipe != nullptr && recipe->references) note({.slot = slot, .recipe = recipe}, survey_.uses[slot].reads);
  }

  void note(const InlinedCall& call, isa::RegisterSet reads) {
    survey_.inlined.push_back(call);
    survey_.flags[call.slot] |= Survey::kInlined;
    survey_.uses[call.slot].reads = reads;
  }

  // The slot of the instruction whose result is in a register at `slot`, if that can be seen from the instructions
  // before it; never a copy of a register.
  std::uint32_t setter_of(unsigned number, std::uint32_t slot, std::uint32_t start) const {
    for (std::uint32_t i = slot; i > start && slot - i < kLookBack; --i) {
      if (survey_.at(i, Survey::kFirst) && survey_.at(i, Survey::kTarget)) return kUnknown;
      if (!survey_.at(i - 1, Survey::kFirst)) continue;
      const Insn& before = image_.insns[i - 1];
      const Op op = survey_.ops[i - 1];
      if ((survey_.uses[i - 1].writes >> number & 1) == 0) continue;
      if (op == Op::Mov64Reg) {
        number = before.src;
        continue;
      }
      return i - 1;
    }
    return kUnknown;
  }

  const maps::Recipe* recipe_of(std::uint64_t map) const {
    const auto found = std::ranges::find(
        recipes_, map, [](const maps::Recipe& recipe) { return reinterpret_cast<std::uint64_t>(recipe.map); });
    return found == recipes_.end() ? nullptr : &*found;
  }

  std::int32_t key_in_frame(std::uint32_t slot) const {
    const spec::Facts* const facts = image_.facts.get();
    if (facts == nullptr || slot >= facts->entries.size() || !facts->reached(slot)) return InlinedCall::kNotInFrame;
    const spec::Fact& key = facts->at(slot, 2);
    if (key.kind != spec::Fact::Kind::Frame || !key.numbers.is_constant()) return InlinedCall::kNotInFrame;
    const auto offset = static_cast<std::int64_t>(key.numbers.unknown == 0 ? key.numbers.bits : key.numbers.umin);
    return offset < 0 && offset >= -std::int64_t{isa::kStackBytes} ? static_cast<std::int32_t>(offset)
                                                                   : InlinedCall::kNotInFrame;
  }

  const exec::Image& image_;
  std::span<const std::uint64_t> values_;
  std::span<const maps::Recipe> recipes_;
  Survey& survey_;
};

}  // namespace

void find_inlined_calls(const exec::Image& image, std::span<const std::uint64_t> values,
                        std::span<const maps::Recipe> recipes, Survey& survey) {
  if (values.empty()) return;
  Finder(image, values, recipes, survey).find();
}

}  // namespace skep::jit::x64
