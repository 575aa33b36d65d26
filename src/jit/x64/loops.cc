// Loops that are written in another way than their instructions stand.
//
// One look at the instructions before each jump back. Whoever jumps into a loop comes to its first copy.
#include "jit/x64/survey.h"

namespace skep::jit::x64 {
namespace {

using isa::Form;
using isa::Op;

constexpr std::uint32_t kMostSlots = 20;  // of a short loop
constexpr std::uint32_t kTimesTwo = 12;   // slots of which more are written twice only
constexpr std::uint32_t kTimes = 4;
constexpr std::uint32_t kMostOfHead = 8;      // slots that are written again at the end of a loop
constexpr std::uint32_t kMostToLookAt = 256;  // slots of a function, for other ways back

class Finder {
 public:
  Finder(const exec::Image& image, Survey& survey) : image_(image), survey_(survey) {}

  void find() {
    for (const Function& function : survey_.functions)
      if (function.loops) find(function);
  }

 private:
  void find(const Function& function) {
    std::uint32_t begin = function.start;  // behind the last jump back
    for (std::uint32_t slot = function.start; slot < function.end; ++slot) {
      if (!survey_.at(slot, Survey::kFirst) || !isa::is_jump(survey_.ops[slot])) continue;
      const std::int64_t target = target_of(slot);
      if (target > slot) continue;
      const auto first = static_cast<std::uint32_t>(target);
      if ((first < begin || !is_short(first, slot)) && !is_rotated(function, first, slot)) mark_hot(first);
      begin = slot + 1;
    }
  }

  // Whether it is a short loop, which is noted.
  bool is_short(std::uint32_t first, std::uint32_t back) {
    const std::uint32_t slots = back + 1 - first;
    if (slots > kMostSlots || !is_conditional(back, first)) return false;
    const bool leaves_before = isa::form(survey_.ops[back]) == Form::Goto;
    for (std::uint32_t i = first; i + leaves_before < back; ++i)
      if (survey_.at(i, Survey::kFirst) && !is_simple(survey_.ops[i])) return false;
    survey_.short_loops.push_back({.first = first,
                                   .end = back + 1,
                                   .jump = leaves_before ? back - 1 : back,
                                   .times = slots > kTimesTwo ? 2 : kTimes});
    mark_hot(first);
    return true;
  }

  // Whether it is a loop that may end in its head, which is noted: one that is entered there, or where it goes on.
  // Where several jumps lead back they share one head: a processor guesses a condition better that it sees in one
  // place.
  bool is_rotated(const Function& function, std::uint32_t first, std::uint32_t back) {
    if (isa::form(survey_.ops[back]) != Form::Goto || survey_.at(back, Survey::kLeftOut)) return false;
    if (survey_.at(first, Survey::kTargets) && !is_only_way(function, first, back)) return false;
    std::uint32_t branch = first;
    for (; branch < back && branch - first < kMostOfHead; ++branch)
      if (survey_.at(branch, Survey::kFirst) && !is_simple(survey_.ops[branch])) break;
    if (branch >= back || !is_compare(branch)) return false;
    const std::int64_t taken = target_of(branch);
    if (taken >= first && taken <= branch) return false;
    const bool stays = taken > branch && taken <= back;
    if (stays && !leaves(branch + 1)) return false;
    const std::uint32_t body = stays ? static_cast<std::uint32_t>(taken) : branch + 1;
    const bool is_entered_in_body = first > function.start && isa::form(survey_.ops[first - 1]) == Form::Goto;
    if (is_entered_in_body && target_of(first - 1) != body) return false;
    survey_.rotated_loops.push_back({.back = back, .first = first, .branch = branch, .stays = stays});
    mark_hot(body);
    return true;
  }

  // Whether no other jump leads to the head of a loop than that at its end, and those that are taken where a call finds
  // nothing or past a move (which becomes a conditional one).
  bool is_only_way(const Function& function, std::uint32_t first, std::uint32_t back) const {
    if (function.end - function.start > kMostToLookAt) return false;
    for (std::uint32_t slot = function.start; slot < function.end; ++slot) {
      if (slot == back || !survey_.at(slot, Survey::kFirst) || !isa::is_jump(survey_.ops[slot])) continue;
      const bool asks_for_null = survey_.ops[slot] == Op::JEq64Imm && image_.insns[slot].dst == 0 &&
                                 image_.insns[slot].imm == 0 && survey_.ops[slot - 1] == Op::CallHelper;
      const bool is_past_move = slot + 2 == back && isa::form(survey_.ops[back - 1]) == Form::MovImm;
      if (target_of(slot) == first && !asks_for_null && !is_past_move) return false;
    }
    return true;
  }

  // Whether the instructions from `slot` on lead out of the function, whatever they find.
  bool leaves(std::uint32_t slot) const {
    while (is_simple(survey_.ops[slot])) slot += isa::slots(survey_.ops[slot]);
    return isa::has(survey_.ops[slot], isa::kEnds);
  }
  void mark_hot(std::uint32_t slot) noexcept { survey_.flags[slot] |= Survey::kHot; }
  std::int64_t target_of(std::uint32_t slot) const {
    return *isa::jump_target(survey_.ops[slot], image_.insns[slot], slot);
  }
  // The loop ends in a condition: the jump back has it, or the one before, which leads past it.
  bool is_conditional(std::uint32_t back, std::uint32_t first) const {
    if (is_compare(back)) return true;
    return isa::form(survey_.ops[back]) == Form::Goto && back > first && is_compare(back - 1) &&
           image_.insns[back - 1].off == 1 && !survey_.at(back, Survey::kTarget);
  }
  bool is_compare(std::uint32_t slot) const {
    const Form form = isa::form(survey_.ops[slot]);
    if (survey_.at(slot, Survey::kLeftOut | Survey::kAlways)) return false;
    return survey_.at(slot, Survey::kFirst) && (form == Form::JumpImm || form == Form::JumpReg);
  }
  static bool is_simple(Op op) {
    const Form form = isa::form(op);
    return !isa::is_call(op) && !isa::is_jump(op) && !isa::has(op, isa::kEnds) && form != Form::PacketAbs &&
           form != Form::PacketInd && form != Form::Invalid;
  }

  const exec::Image& image_;
  Survey& survey_;
};

}  // namespace

void find_loops(const exec::Image& image, Survey& survey) { Finder(image, survey).find(); }

}  // namespace skep::jit::x64
