#include "verifier/explain/causes.h"

#include <algorithm>
#include <array>

#include "isa/op.h"

namespace skep::verifier {
namespace {

constexpr std::array kCauses = {
#define CAUSE(name, pattern, subject, what, needed, hint) Cause{#name, pattern, Subject::subject, what, needed, hint},
#include "verifier/explain/causes.def"
#undef CAUSE
};

std::optional<unsigned> named(const Facts& facts, std::string_view name) {
  const auto number = facts.number(name);
  if (!number || *number < 0 || *number >= std::int64_t{isa::kRegisters}) return std::nullopt;
  return static_cast<unsigned>(*number);
}

const isa::Insn& last_insn(const Walk& walk) { return walk.input.insns[(*walk.trail)[walk.trail->size() - 1].insn]; }

bool is_arithmetic(isa::Form form) { return form == isa::Form::AluReg || form == isa::Form::AluImm; }

// Of an addition to a pointer the operand that is none; nothing when both are.
std::optional<unsigned> number_operand(const Walk& walk, std::size_t step, unsigned frame, const isa::Insn& insn) {
  if (isa::form(isa::decode(insn)) != isa::Form::AluReg) return std::nullopt;
  const bool dst = value_in(walk, step, {frame, false, insn.dst}).is_scalar();
  const bool src = value_in(walk, step, {frame, false, insn.src}).is_scalar();
  if (dst == src) return std::nullopt;
  return dst ? insn.dst : insn.src;
}

// The newest addition on the pointer's way that made its offset variable.
std::optional<Suspect> index_of(const Walk& walk, const Suspect& pointer) {
  const isa::Insn& last = last_insn(walk);
  if (const auto operand = number_operand(walk, pointer.step, pointer.place.frame, last))
    return Suspect{pointer.step, {pointer.place.frame, false, *operand}};
  const std::vector<Event> way = way_of(walk, pointer.step, pointer.place);
  for (auto event = way.rbegin(); event != way.rend(); ++event) {
    if (event->what != Event::What::Computed) continue;
    const unsigned frame = event->place.frame;
    const auto operand = number_operand(walk, event->step, frame, walk.input.insns[event->insn]);
    if (operand && !value_in(walk, event->step, {frame, false, *operand}).is_constant())
      return Suspect{event->step, {frame, false, *operand}};
  }
  return std::nullopt;
}

// The newest step that took it.
std::optional<Suspect> acquired(const Walk& walk, const Facts& facts) {
  const auto insn = facts.number("alloc");
  for (std::size_t i = walk.trail->size() - 1; insn && i-- > 0;)
    if ((*walk.trail)[i].insn == *insn && (*walk.trail)[i + 1].is_known())
      return Suspect{i + 1, {(*walk.trail)[i + 1].top(), false, 0}};
  return std::nullopt;
}

std::optional<unsigned> register_of(const Walk& walk, Subject subject, const Facts& facts) {
  const isa::Insn& insn = last_insn(walk);
  switch (subject) {
    case Subject::Named: return named(facts, "reg");
    case Subject::Index: {
      const auto reg = named(facts, "reg");
      return reg ? *reg : insn.dst;
    }
    case Subject::Argument: {
      if (const auto reg = named(facts, "reg")) return reg;
      const auto arg = named(facts, "arg");
      return arg ? *arg : 1;
    }
    case Subject::Base: return base_register(walk, facts);
    case Subject::Operand: {
      const auto reg = named(facts, "reg");
      if (!is_arithmetic(isa::form(isa::decode(insn)))) return reg;
      const unsigned top = (*walk.trail)[walk.trail->size() - 1].top();
      const bool is_pointer = value_in(walk, walk.trail->size() - 1, {top, false, insn.dst}).is_pointer();
      return is_pointer || isa::form(isa::decode(insn)) == isa::Form::AluImm ? insn.dst : insn.src;
    }
    case Subject::Result: return 0;
    case Subject::None:
    case Subject::Reference:
    case Subject::Detail: break;
  }
  return std::nullopt;
}

}  // namespace

std::span<const Cause> causes() noexcept { return kCauses; }

std::optional<unsigned> base_register(const Walk& walk, const Facts& facts) {
  const isa::Op op = isa::decode(last_insn(walk));
  if (isa::writes_memory(op) || isa::is_atomic(op)) return last_insn(walk).dst;
  if (isa::reads_memory(op)) return last_insn(walk).src;
  return named(facts, "reg");
}

std::optional<Suspect> suspect_of(const Walk& walk, Subject subject, const Facts& facts) {
  if (!walk.trail || walk.trail->size() == 0 || !(*walk.trail)[walk.trail->size() - 1].is_known()) return std::nullopt;
  if (subject == Subject::Reference) return acquired(walk, facts);
  const auto reg = register_of(walk, subject, facts);
  if (!reg) return std::nullopt;
  const std::size_t last = walk.trail->size() - 1;
  const Suspect suspect{last, {(*walk.trail)[last].top(), false, *reg}};
  if (subject != Subject::Index) return suspect;
  const auto index = index_of(walk, suspect);
  return index ? index : suspect;
}

}  // namespace skep::verifier
