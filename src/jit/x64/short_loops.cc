// Loops that are worth writing several times in a row.
//
// A loop is a jump back over a few instructions that call nothing; jumps within it and out of it are as they are, and
// whoever jumps into it comes to the first copy. One look at the instructions before each jump back.
#include "jit/x64/survey.h"

namespace skep::jit::x64 {
namespace {

using isa::Form;
using isa::Op;

constexpr std::uint32_t kMostSlots = 20;  // of a loop
constexpr std::uint32_t kTimesTwo = 12;   // slots of which more are written twice only
constexpr std::uint32_t kTimes = 4;

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
      const std::int64_t target = *isa::jump_target(survey_.ops[slot], image_.insns[slot], slot);
      if (target > slot) continue;
      if (target >= begin) look_at(static_cast<std::uint32_t>(target), slot);
      begin = slot + 1;
    }
  }

  void look_at(std::uint32_t first, std::uint32_t back) {
    const std::uint32_t slots = back + 1 - first;
    if (slots > kMostSlots || !is_conditional(back, first)) return;
    const bool leaves_before = isa::form(survey_.ops[back]) == Form::Goto;
    for (std::uint32_t i = first; i + leaves_before < back; ++i)
      if (survey_.at(i, Survey::kFirst) && !is_simple(survey_.ops[i])) return;
    survey_.short_loops.push_back({.first = first,
                                   .end = back + 1,
                                   .jump = leaves_before ? back - 1 : back,
                                   .times = slots > kTimesTwo ? 2 : kTimes});
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
           form != Form::PacketInd && form != Form::Invalid && form != Form::CastAddrSpace;
  }

  const exec::Image& image_;
  Survey& survey_;
};

}  // namespace

void find_short_loops(const exec::Image& image, Survey& survey) { Finder(image, survey).find(); }

}  // namespace skep::jit::x64
