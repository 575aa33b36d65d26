#include "verifier/step/dynptr.h"

#include <expected>

#include "verifier/step/access.h"

namespace skep::verifier {
namespace {

enum class NoSlot : std::uint8_t {
  Wrong,       // no place for a dynptr; the log says why
  BeyondStack  // a place nobody has touched
};

// The slot of the lower address of the dynptr that a stack pointer points to: the one of the higher index.
std::expected<std::size_t, NoSlot> slot_of(Walk& walk, const Register& reg) {
  if (!reg.number.is_constant()) {
    walk.say("dynptr has to be at a constant offset");
    return std::unexpected(NoSlot::Wrong);
  }
  const auto offset = static_cast<std::int32_t>(reg.offset + static_cast<std::int64_t>(reg.number.value()));
  const std::int32_t slot = (-offset - 1) / static_cast<std::int32_t>(kSlotBytes);
  if (offset % static_cast<std::int32_t>(kSlotBytes) != 0 || slot + 1 < static_cast<std::int32_t>(kDynptrSlots)) {
    walk.say("cannot pass in dynptr at an offset={}", offset);
    return std::unexpected(NoSlot::Wrong);
  }
  if (static_cast<std::size_t>(slot) >= walk.state.frames[reg.frame]->stack.size())
    return std::unexpected(NoSlot::BeyondStack);
  return static_cast<std::size_t>(slot);
}

bool is_refcounted(DynptrType type) { return type == DynptrType::Ringbuf; }

std::string_view name(DynptrType type) {
  switch (type) {
    case DynptrType::Local: return "local";
    case DynptrType::Ringbuf: return "ringbuf";
    case DynptrType::Skb: return "skb";
    case DynptrType::Xdp: return "xdp";
    case DynptrType::Invalid: break;
  }
  return "<invalid>";
}

void set_slots(Walk& walk, unsigned frame, std::size_t slot, ByteKind kind, const Register& first,
               const Register& second) {
  Frame& to = walk.state.mutable_frame(frame);
  to.stack[slot].bytes.fill(kind);
  to.stack[slot - 1].bytes.fill(kind);
  to.stack[slot].spilled = first;
  to.stack[slot - 1].spilled = second;
  walk.mark_slot_written(frame, slot);
  walk.mark_slot_written(frame, slot - 1);
}

void forget_dynptr(Walk& walk, unsigned frame, std::size_t slot) {
  set_slots(walk, frame, slot, ByteKind::Invalid, Register{}, Register{});
}

bool is_initialised(Walk& walk, const Register& reg) {
  if (reg.kind == Kind::Dynptr) return true;
  const auto slot = slot_of(walk, reg);
  if (!slot) return false;
  const auto& stack = walk.state.frames[reg.frame]->stack;
  return stack[*slot].spilled.first_slot && stack[*slot].all(ByteKind::Dynptr) &&
         stack[*slot - 1].all(ByteKind::Dynptr);
}

}  // namespace

Register dynptr_register(DynptrType type, std::uint32_t id) noexcept {
  Register made = Register::pointer(Kind::Dynptr);
  made.dynptr = type;
  made.first_slot = true;
  made.id = id;
  return made;
}

const Register& dynptr_of(const Walk& walk, unsigned number) {
  const Register& reg = walk.peek(number);
  if (reg.kind == Kind::Dynptr) return reg;
  const auto offset = reg.offset + static_cast<std::int64_t>(reg.number.value());
  return walk.state.frames[reg.frame]->stack[static_cast<std::size_t>(-offset - 1) / kSlotBytes].spilled;
}

Checked init_dynptr(Walk& walk, unsigned number, DynptrType type, std::uint32_t reference) {
  const Register reg = walk.peek(number);
  const auto before = reg.kind == Kind::Dynptr ? std::unexpected(NoSlot::Wrong) : slot_of(walk, reg);
  if (!before && before.error() == NoSlot::Wrong)
    return walk.reject(EINVAL, "Dynptr has to be an uninitialized dynptr");
  for (unsigned i = 0; i < kDynptrSlots; ++i)
    TRY_VOID(check_access(walk, {.base = number,
                                 .offset = static_cast<std::int32_t>(i * kSlotBytes),
                                 .size = kSlotBytes,
                                 .direction = Direction::Write}));
  const auto slot = slot_of(walk, reg);
  if (!slot) return walk.reject(EINVAL, "");
  TRY_VOID(destroy_dynptr(walk, reg.frame, *slot));
  TRY_VOID(destroy_dynptr(walk, reg.frame, *slot - 1));
  Register first = dynptr_register(type, walk.new_id());
  if (is_refcounted(type)) first.ref_obj_id = reference != 0 ? reference : walk.acquire_reference();
  Register second = first;
  second.first_slot = false;
  set_slots(walk, reg.frame, *slot, ByteKind::Dynptr, first, second);
  return {};
}

Checked check_dynptr(Walk& walk, unsigned number, std::optional<DynptrType> type, DynptrUse use) {
  const Register reg = walk.peek(number);
  if (reg.kind != Kind::Stack && reg.kind != Kind::Dynptr)
    return walk.reject(EINVAL, "arg#{} expected pointer to stack or const struct bpf_dynptr", number - 1);
  if (reg.kind == Kind::Dynptr && use == DynptrUse::Changes)
    return walk.reject(EINVAL, "cannot pass pointer to const bpf_dynptr, the helper mutates it");
  if (!is_initialised(walk, reg)) return walk.reject(EINVAL, "Expected an initialized dynptr as arg #{}", number - 1);
  if (type && dynptr_of(walk, number).dynptr != *type)
    return walk.reject(EINVAL, "Expected a dynptr of type {} as arg #{}", name(*type), number - 1);
  if (reg.kind == Kind::Dynptr) return {};
  const auto slot = slot_of(walk, reg);
  walk.mark_slot_read(reg.frame, *slot);
  walk.mark_slot_read(reg.frame, *slot - 1);
  return {};
}

Checked check_released_dynptr(Walk& walk, unsigned number) {
  const Register reg = walk.peek(number);
  if (reg.kind != Kind::Stack) return walk.reject(EINVAL, "cannot release unowned const bpf_dynptr");
  const auto slot = slot_of(walk, reg);
  if (!slot || walk.state.frames[reg.frame]->stack[*slot].spilled.ref_obj_id == 0)
    return walk.reject(EINVAL, "arg {} is an unacquired reference", number);
  return {};
}

bool release_dynptr(Walk& walk, unsigned number) {
  const Register reg = walk.peek(number);
  const auto at = slot_of(walk, reg);
  if (!at) return false;
  const Register dynptr = walk.state.frames[reg.frame]->stack[*at].spilled;
  if (!is_refcounted(dynptr.dynptr)) {
    forget_dynptr(walk, reg.frame, *at);
    return true;
  }
  walk.release_reference(dynptr.ref_obj_id);
  for (std::size_t slot = 1; slot < walk.state.frames[reg.frame]->stack.size(); ++slot) {
    const Slot& clone = walk.state.frames[reg.frame]->stack[slot];
    if (clone.bytes.front() == ByteKind::Dynptr && clone.spilled.ref_obj_id == dynptr.ref_obj_id &&
        clone.spilled.first_slot)
      forget_dynptr(walk, reg.frame, slot);
  }
  return true;
}

}  // namespace skep::verifier
