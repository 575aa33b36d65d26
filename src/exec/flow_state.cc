#include "exec/flow_state.h"

#include <algorithm>

namespace skep::exec {
namespace {

using Kind = Value::Kind;

constexpr Value kOther{};
constexpr std::int64_t kSlot = 8;

bool is_null(const Value& value) { return value.kind == Kind::Constant && value.offset == 0; }
bool plain_context(const Value& value) { return value.kind == Kind::Context || value.kind == Kind::AnyContext; }
bool worth_keeping(const Value& value) { return value.kind != Kind::Other && value.kind != Kind::Constant; }

}  // namespace

Value join(const Value& a, const Value& b) noexcept {
  if (a == b || b.kind == Kind::Nothing) return a;
  if (a.kind == Kind::Nothing) return b;
  if (plain_context(a) && plain_context(b)) return {Kind::AnyContext, 0, 0};
  if (plain_context(a) && is_null(b)) return a;
  if (plain_context(b) && is_null(a)) return b;
  return a.is_context() || b.is_context() ? Value{Kind::Mixed, 0, 0} : kOther;
}

Value Slots::at(std::int64_t offset) const noexcept {
  const auto found = std::ranges::lower_bound(slots_, offset, {}, &Slot::offset);
  return found != slots_.end() && found->offset == offset ? found->value : kOther;
}

void Slots::set(std::int64_t offset, const Value& value) {
  const auto found = std::ranges::lower_bound(slots_, offset, {}, &Slot::offset);
  const bool there = found != slots_.end() && found->offset == offset;
  if (!worth_keeping(value)) {
    if (there) slots_.erase(found);
  } else if (there) {
    found->value = value;
  } else {
    slots_.insert(found, {offset, value});
  }
}

void Slots::write(std::int64_t offset, unsigned bytes, const Value& value) {
  if (offset >= 0 || offset < -std::int64_t{isa::kStackBytes}) return;
  std::erase_if(slots_, [&](const Slot& slot) { return slot.offset < offset + bytes && offset < slot.offset + kSlot; });
  if (bytes == kSlot && offset % kSlot == 0) set(offset, value);
}

bool Slots::join(const Slots& other) {
  if (*this == other) return false;
  Slots joined;
  for (const Slot& slot : slots_) joined.set(slot.offset, exec::join(slot.value, other.at(slot.offset)));
  for (const Slot& slot : other.slots_) joined.set(slot.offset, exec::join(slot.value, at(slot.offset)));
  if (joined == *this) return false;
  *this = std::move(joined);
  return true;
}

bool Slots::join_present(const Slots& other) {
  bool changed = false;
  for (const Slot& slot : other.slots_) changed |= join_at(slot.offset, slot.value);
  return changed;
}

bool Slots::join_at(std::int64_t offset, const Value& value) {
  if (offset >= 0 || offset < -std::int64_t{isa::kStackBytes} || offset % kSlot) return false;
  const auto found = std::ranges::lower_bound(slots_, offset, {}, &Slot::offset);
  const Value old = found != slots_.end() && found->offset == offset ? found->value : kNothing;
  const Value now = exec::join(old, value);
  if (now == old) return false;
  if (old.kind == Kind::Nothing)
    slots_.insert(found, {offset, now});
  else
    found->value = now;
  return true;
}

bool FlowState::join(const FlowState& other) {
  if (!other.reached) return false;
  if (!reached) {
    *this = other;
    return true;
  }
  bool changed = slots.join(other.slots);
  for (std::size_t i = 0; i < regs.size(); ++i) {
    const Value now = exec::join(regs[i], other.regs[i]);
    changed |= now != regs[i];
    regs[i] = now;
  }
  return changed;
}

}  // namespace skep::exec
