#include "verifier/explain/origin.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "isa/op.h"

namespace skep::verifier {
namespace {

using isa::Form;
using isa::Insn;
using isa::Op;
using What = Event::What;

constexpr unsigned kFramePointer = isa::kRegisters - 1;

bool writes(const Insn& insn, Op op, std::size_t reg) {
  const std::uint32_t mask = isa::form_info(op).writes;
  if ((mask >> reg & 1) != 0) return true;
  return ((mask & isa::detail::D) != 0 && insn.dst == reg) || ((mask & isa::detail::S) != 0 && insn.src == reg);
}

// What a program may do with it, apart from names and the way it is linked with others.
bool same_knowledge(const Register& a, const Register& b) {
  return a.kind == b.kind && a.traits == b.traits && a.offset == b.offset && a.number == b.number && a.word == b.word;
}

class Way {
 public:
  Way(const Walk& walk, std::size_t step, ValuePlace place)
      : walk_(walk), trail_(*walk.trail), step_(step), place_(place) {}

  std::vector<Event> find() {
    std::size_t at = step_;
    while (at-- > 0 && trail_[at].is_known() && before(at)) {
    }
    if (!made_ && at == std::numeric_limits<std::size_t>::max()) note(What::Given, 0, value_in(walk_, 0, place_));
    std::ranges::reverse(events_);
    return std::move(events_);
  }

 private:
  // Goes back over step `at`; false when the value was made there.
  bool before(std::size_t at) {
    const unsigned now = trail_[at].top(), then = trail_[at + 1].top();
    if (then > now && place_.frame == then) return into_function(at, now);
    if (then < now && place_.frame == then && !place_.is_slot && place_.number <= 5) return out_of_function(at, now);
    if (place_.is_slot) return over_stack_access(at);
    const Insn& insn = insn_at(at);
    const Op op = isa::decode(insn);
    if (place_.frame == now && writes(insn, op, place_.number)) return over_write(at, insn, op);
    return over_other(at);
  }

  // The callee's r1 to r5 were the caller's. A callback's are made by who calls it.
  bool into_function(std::size_t at, unsigned caller) {
    const bool passed = !place_.is_slot && place_.number >= 1 && place_.number <= 5;
    const bool plain = trail_[at + 1].frames.back()->called_as == CallKind::Plain;
    if (!passed || !plain) return made(What::Given, at);
    place_.frame = caller;
    return true;
  }
  // The caller's r0 was the callee's; its r1 to r5 are gone.
  bool out_of_function(std::size_t at, unsigned callee) {
    if (place_.number != 0) return made(What::Lost, at);
    place_.frame = callee;
    return true;
  }

  bool over_write(std::size_t at, const Insn& insn, Op op) {
    switch (isa::form(op)) {
      case Form::MovReg:
        if (!same_knowledge(value_in(walk_, at, {place_.frame, false, insn.src}), after(at)))
          note(What::Computed, at, after(at));
        place_.number = insn.src;
        return true;
      case Form::AluReg: return over_arithmetic(at, insn);
      case Form::AluImm:
      case Form::AluUnary: note(What::Computed, at, after(at)); return true;
      case Form::MovImm:
      case Form::LoadImm64: return made(What::Constant, at);
      case Form::Load:
      case Form::LoadSx: return over_load(at, insn, op);
      default: break;
    }
    if (!isa::is_call(op)) return made(What::Loaded, at);
    return made(place_.number == 0 ? What::Returned : What::Lost, at);
  }
  bool over_arithmetic(std::size_t at, const Insn& insn) {
    note(What::Computed, at, after(at));
    const Register dst = value_in(walk_, at, place_), src = value_in(walk_, at, {place_.frame, false, insn.src});
    const bool adds_pointer = src.is_pointer() && !dst.is_pointer();
    const bool adds_unknown = dst.is_constant() && !src.is_constant();
    if (adds_pointer || adds_unknown) place_.number = insn.src;
    return true;
  }
  bool over_load(std::size_t at, const Insn& insn, Op op) {
    const Register base = value_in(walk_, at, {place_.frame, false, insn.src});
    const auto slot = slot_of(base, insn.off, isa::access_bytes(op));
    if (!slot || !slot_in(at, *slot).holds_register()) return made(What::Loaded, at);
    place_ = *slot;
    return true;
  }

  // The slot that an access through a stack pointer touches, if it is one only.
  static std::optional<ValuePlace> slot_of(const Register& base, std::int32_t off, unsigned bytes) {
    const std::int64_t first = std::int64_t{base.offset} + off;
    if (base.kind != Kind::Stack || !base.is_fixed() || first >= 0 || bytes == 0) return std::nullopt;
    const auto highest = static_cast<std::size_t>(-(first + bytes)) / kSlotBytes;
    const auto lowest = static_cast<std::size_t>(-first - 1) / kSlotBytes;
    if (highest != lowest) return std::nullopt;
    return ValuePlace{base.frame, true, lowest};
  }
  Slot slot_in(std::size_t at, const ValuePlace& place) const {
    if (place.frame >= trail_[at].frames.size()) return {};
    const auto& stack = trail_[at].frames[place.frame]->stack;
    return place.number < stack.size() ? stack[place.number] : Slot{};
  }

  bool over_stack_access(std::size_t at) {
    const Insn& insn = insn_at(at);
    const Op op = isa::decode(insn);
    if (isa::writes_memory(op) && !isa::is_atomic(op)) {
      const Register base = value_in(walk_, at, {trail_[at].top(), false, insn.dst});
      const auto slot = slot_of(base, insn.off, isa::access_bytes(op));
      if (slot && slot->frame == place_.frame && slot->number == place_.number) return over_store(at, insn, op);
    }
    if (slot_in(at, place_).bytes == slot_in(at + 1, place_).bytes) return over_other(at);
    return isa::is_call(op) ? made(What::Written, at) : over_other(at);
  }
  bool over_store(std::size_t at, const Insn& insn, Op op) {
    if (isa::form(op) != Form::StoreReg) return made(What::Constant, at);
    place_ = {trail_[at].top(), false, insn.src};
    return true;
  }

  // The step left the place alone; but something may have been learnt or lost of what is there.
  bool over_other(std::size_t at) {
    const Register was = value_in(walk_, at, place_), is = after(at);
    if (same_knowledge(was, is)) return true;
    const bool branches = isa::is_conditional_jump(isa::decode(insn_at(at)));
    note(branches ? What::Learnt : What::Lost, at, is);
    return true;
  }

  bool made(What what, std::size_t at) {
    note(what, at, after(at));
    made_ = true;
    return false;
  }
  Register after(std::size_t at) const { return value_in(walk_, at + 1, place_); }
  void note(What what, std::size_t at, const Register& value) {
    events_.push_back({what, at, trail_[at].insn, place_, value});
  }
  const Insn& insn_at(std::size_t at) const { return walk_.input.insns[trail_[at].insn]; }

  const Walk& walk_;
  const Trail& trail_;
  std::size_t step_;
  ValuePlace place_;
  std::vector<Event> events_;
  bool made_ = false;
};

}  // namespace

Register value_in(const Walk& walk, std::size_t step, const ValuePlace& place) {
  const auto& frames = (*walk.trail)[step].frames;
  if (place.frame >= frames.size()) return {};
  const Frame& frame = *frames[place.frame];
  if (!place.is_slot) return frame.registers[std::min<std::size_t>(place.number, kFramePointer)];
  if (place.number >= frame.stack.size()) return {};
  const Slot& slot = frame.stack[place.number];
  if (slot.holds_register()) return slot.spilled;
  return slot.is_valid() ? Register::unknown() : Register{};
}

std::vector<Event> way_of(const Walk& walk, std::size_t step, ValuePlace place) {
  if (!walk.trail || step >= walk.trail->size() || !(*walk.trail)[step].is_known()) return {};
  return Way(walk, step, place).find();
}

}  // namespace skep::verifier
