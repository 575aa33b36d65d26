// Open-coded iterators: an object in stack slots that only its own functions touch, and the loop that asks for the
// next.
//
// new() makes it, which is a reference to be given up by destroy(). next() is where a loop ends: one path goes on with
// the iterator drained and NULL, another with an element, one round deeper; that one comes back here until its states
// converge.
#include <string>

#include "verifier/step/access.h"
#include "verifier/step/kfunc.h"
#include "verifier/step/loops.h"

namespace skep::verifier {
namespace {

using spec::KfuncTrait;

struct IteratorType {
  std::uint32_t id = 0;
  std::size_t slots = 0;
  std::string name = {};  // "num"
};

// The structure the parameter points to; its size decides how many slots it takes.
CheckedOf<IteratorType> iterator_type(Walk& walk, unsigned number, const KfuncCall& call) {
  constexpr std::string_view kPrefix = "bpf_iter_";
  const btf::Type parameter = call.types.type(call.types.resolve(call.proto.param(number - 1).type));
  const std::uint32_t id = call.types.resolve(parameter.type());
  const bool is_struct = id != 0 && call.types.type(id).kind() == btf::Kind::Struct;
  if (!is_struct || !call.types.type(id).name().starts_with(kPrefix) || call.types.type(id).size() % kSlotBytes != 0)
    return walk.reject(EINVAL, "expected valid iter pointer as arg #{}", number - 1);
  const btf::Type type = call.types.type(id);
  return IteratorType{id, type.size() / kSlotBytes, std::string(type.name().substr(kPrefix.size()))};
}

enum class Where : std::uint8_t { Wrong, BelowStack, Found };
struct Place {
  Where where = Where::Wrong;
  std::size_t slot = 0;
};

// The first slot of what the register points to. What is wrong with it is said in the log.
Place find_slots(Walk& walk, const Register& reg, std::size_t slots) {
  if (!reg.number.is_constant()) {
    walk.say("iter has to be at a constant offset");
    return {};
  }
  const std::int64_t offset = reg.offset + static_cast<std::int64_t>(reg.number.value());
  const std::int64_t slot = (-offset - 1) / kSlotBytes;
  if (offset >= 0 || offset % kSlotBytes != 0 || slot + 1 < static_cast<std::int64_t>(slots)) {
    walk.say("cannot pass in iter at an offset={}", offset);
    return {};
  }
  const auto found = static_cast<std::size_t>(slot);
  return {found < walk.state.frames[reg.frame]->stack.size() ? Where::Found : Where::BelowStack, found};
}

bool holds_iterator_byte(const Slot& slot) {
  for (const ByteKind byte : slot.bytes)
    if (byte == ByteKind::Iterator) return true;
  return false;
}

bool is_free(Walk& walk, const Register& reg, std::size_t slots) {
  const Place place = find_slots(walk, reg, slots);
  if (place.where != Where::Found) return place.where == Where::BelowStack;
  for (std::size_t i = 0; i < slots; ++i)
    if (holds_iterator_byte(walk.state.frames[reg.frame]->stack[place.slot - i])) return false;
  return true;
}

// 0, EPROTO when its RCU section is over, else EINVAL.
int check_initialised(const Frame& frame, std::size_t first, const IteratorType& type) {
  for (std::size_t i = 0; i < type.slots; ++i) {
    const Slot& slot = frame.stack[first - i];
    if (holds_iterator_byte(slot) && slot.spilled.is(kUntrusted)) return EPROTO;
    if (!slot.all(ByteKind::Iterator) || (slot.spilled.ref_obj_id != 0) != (i == 0) || slot.spilled.btf_type != type.id)
      return EINVAL;
  }
  return 0;
}

void show(Walk& walk, std::size_t slot) { walk.changes.slots |= std::uint64_t{1} << slot; }

void occupy(Walk& walk, const Register& reg, const IteratorType& type, std::size_t first, Traits traits) {
  const std::uint32_t reference = walk.acquire_reference();
  Register iterator = Register::pointer(Kind::Iterator, traits);
  iterator.iter_state = IterState::Active;
  iterator.btf_type = type.id;
  for (std::size_t i = 0; i < type.slots; ++i) {
    Slot& slot = walk.state.mutable_frame(reg.frame).stack[first - i];
    slot.bytes.fill(ByteKind::Iterator);
    slot.spilled = iterator;
    slot.spilled.ref_obj_id = i == 0 ? reference : 0;
    walk.mark_slot_written(reg.frame, first - i);
    show(walk, first - i);
  }
}

Checked make(Walk& walk, unsigned number, const KfuncCall& call, const IteratorType& type) {
  const Register reg = walk.peek(number);
  if (!is_free(walk, reg, type.slots))
    return walk.reject(EINVAL, "expected uninitialized iter_{} as arg #{}", type.name, number - 1);
  for (std::size_t i = 0; i < type.slots; ++i) {
    Access write{.base = number, .size = kSlotBytes, .direction = Direction::Write};
    write.offset = static_cast<std::int32_t>(i * kSlotBytes);
    TRY_VOID(check_access(walk, write));
  }
  const Place place = find_slots(walk, reg, type.slots);
  if (place.where != Where::Found) return walk.reject(place.where == Where::Wrong ? EINVAL : ERANGE, "");
  const bool is_protected = call.is(KfuncTrait::RcuProtected);
  const Traits traits = !is_protected ? Traits{0} : in_rcu_section(walk) ? kRcu : kUntrusted;
  occupy(walk, reg, type, place.slot, traits);
  return {};
}

void destroy(Walk& walk, const IteratorPlace& place, std::size_t slots) {
  walk.release_reference(walk.state.frames[place.frame]->stack[place.slot].spilled.ref_obj_id);
  for (std::size_t i = 0; i < slots; ++i) {
    walk.state.mutable_frame(place.frame).stack[place.slot - i] = Slot{};
    walk.mark_slot_written(place.frame, place.slot - i);
    show(walk, place.slot - i);
  }
}

Checked use(Walk& walk, unsigned number, KfuncCall& call, const IteratorType& type) {
  const Register reg = walk.peek(number);
  const Place place = find_slots(walk, reg, type.slots);
  const int error =
      place.where == Where::Found ? check_initialised(*walk.state.frames[reg.frame], place.slot, type) : EINVAL;
  if (error == EPROTO) return walk.reject(EPROTO, "expected an RCU CS when using {}", call.name());
  if (error != 0) return walk.reject(error, "expected an initialized iter_{} as arg #{}", type.name, number - 1);
  for (std::size_t i = 0; i < type.slots; ++i) {
    walk.mark_slot_read(reg.frame, place.slot - i);
    show(walk, place.slot - i);
  }
  call.iterator = IteratorPlace{reg.frame, place.slot};
  call.ref_obj_id = walk.state.frames[reg.frame]->stack[place.slot].spilled.ref_obj_id;
  if (call.is(KfuncTrait::IterDestroy)) destroy(walk, *call.iterator, type.slots);
  return {};
}

Register& iterator_in(State& state, const IteratorPlace& place) {
  return state.mutable_frame(place.frame).stack[place.slot].spilled;
}

}  // namespace

Checked check_iterator(Walk& walk, unsigned number, KfuncCall& call) {
  if (walk.peek(number).kind != Kind::Stack)
    return walk.reject(EINVAL, "arg#{} expected pointer to an iterator on stack", number - 1);
  TRY(const IteratorType type, iterator_type(walk, number, call));
  return call.is(KfuncTrait::IterNew) ? make(walk, number, call, type) : use(walk, number, call, type);
}

Checked next_of_iterator(Walk& walk, const KfuncCall& call) {
  if (iterator_in(walk.state, *call.iterator).iter_state == IterState::Active) {
    if (walk.state.parent == nullptr || walk.state.parent->insn != walk.index)
      return walk.reject(EFAULT, "bug: bad parent state for iter next call");
    const Checkpoint* before = previous_visit(walk, walk.state.parent->state, walk.index);
    TRY(State* const another, walk.fork(walk.index + 1));
    ++iterator_in(*another, *call.iterator).iter_depth;
    if (before != nullptr) widen_imprecise(walk, before->state, *another);
    Register& element = another->mutable_frame().registers[0];
    element.traits = static_cast<Traits>(element.traits & ~kOrNull);
  }
  iterator_in(walk.state, *call.iterator).iter_state = IterState::Drained;
  walk.reg(0) = Register::constant(0);
  return {};
}

}  // namespace skep::verifier
