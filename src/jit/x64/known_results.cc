// What the facts say of results: instructions that always give the same number (loads of constants in maps that nobody
// can change any more among them), jumps that always go one way, and what never runs.
//
// Facts are said on entry to an instruction. What one has done is known where only it leads to the next.
#include <algorithm>
#include <optional>

#include "isa/eval.h"
#include "jit/x64/survey.h"

namespace skep::jit::x64 {
namespace {

using isa::Form;
using isa::Insn;
using isa::Op;
using spec::Fact;
using spec::Facts;

// The one number there is.
std::optional<std::uint64_t> constant_of(const Fact& fact) {
  if (fact.kind != Fact::Kind::Number || !fact.numbers.is_constant()) return {};
  return fact.numbers.unknown == 0 ? fact.numbers.bits : fact.numbers.umin;
}

class Finder {
 public:
  Finder(const exec::Image& image, const Facts& facts, Survey& survey)
      : insns_(image.insns), facts_(facts), survey_(survey) {}

  void find() {
    for (std::uint32_t slot = 0; slot < insns_.size(); slot += isa::slots(survey_.ops[slot])) {
      const Form form = isa::form(survey_.ops[slot]);
      if (!facts_.reached(slot))
        survey_.leave_out(slot);
      else if (form == Form::JumpImm || form == Form::JumpReg)
        look_at_jump(slot);
      else if (computes(slot))
        look_at_result(slot);
    }
  }

 private:
  // More than a move, which a constant would not make better.
  bool computes(std::uint32_t slot) const {
    const Form form = isa::form(survey_.ops[slot]);
    return !survey_.at(slot, Survey::kJoined) && (form == Form::Load || form == Form::LoadSx || form == Form::AluImm ||
                                                  form == Form::AluReg || form == Form::AluUnary);
  }

  void look_at_result(std::uint32_t slot) {
    const std::uint32_t next = slot + 1;
    if (next >= insns_.size() || facts_.entries[next].reach != Facts::Reach::Follows) return;
    const auto news = facts_.news(next);
    const auto claim = std::ranges::find_if(news, [&](Facts::Claim c) { return c.reg == insns_[slot].dst; });
    if (claim == news.end()) return;
    const std::optional<std::uint64_t> value = constant_of(facts_.of(*claim));
    if (!value) return;
    survey_.constants.push_back({slot, *value});
    survey_.flags[slot] |= Survey::kConstant;
    survey_.uses[slot].reads = 0;
  }

  void look_at_jump(std::uint32_t slot) {
    const std::optional<bool> taken = is_taken(slot);
    if (!taken) return;
    if (*taken)
      survey_.flags[slot] |= Survey::kAlways, survey_.uses[slot] = {};
    else
      survey_.leave_out(slot);
  }

  std::optional<bool> is_taken(std::uint32_t slot) const {
    const Insn& insn = insns_[slot];
    const Op op = survey_.ops[slot];
    if (!facts_.reached(slot + 1)) return true;
    if (!facts_.reached(static_cast<std::size_t>(*isa::jump_target(op, insn, slot)))) return false;
    const auto a = constant_of(facts_.at(slot, insn.dst));
    const bool by_register = isa::form(op) == Form::JumpReg;
    const auto b = by_register ? constant_of(facts_.at(slot, insn.src))
                               : std::optional(static_cast<std::uint64_t>(std::int64_t{insn.imm}));
    if (!a || !b) return {};
    return isa::bits(op) == 64 ? isa::holds<64>(isa::jump_op(op), *a, *b) : isa::holds<32>(isa::jump_op(op), *a, *b);
  }

  const std::vector<Insn>& insns_;
  const Facts& facts_;
  Survey& survey_;
};

}  // namespace

void find_known_results(const exec::Image& image, Survey& survey) {
  if (image.facts != nullptr && image.facts->entries.size() == image.insns.size())
    Finder(image, *image.facts, survey).find();
}

}  // namespace skep::jit::x64
