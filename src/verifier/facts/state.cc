#include "verifier/facts/state.h"

#include <algorithm>

namespace skep::verifier {

ValueId Values::join(ValueId a, ValueId b, Growth growth) {
  if (a == b || a == kUnsetValue) return a;
  const Value& old = (*this)[a];
  const Value grown = verifier::join(old, (*this)[b]);
  if (grown == old) return a;
  return add(growth == Growth::Exact ? grown : widened(old, grown));
}

void FlowState::forget(std::int64_t begin, std::int64_t end) noexcept {
  begin = std::max(begin, -std::int64_t{isa::kStackBytes});
  end = std::min<std::int64_t>(end, 0);
  for (std::int64_t at = begin & ~std::int64_t{7}; at < end; at += 8)
    held_ &= ~(std::uint64_t{1} << static_cast<unsigned>(-at / 8 - 1));
}

bool FlowState::join(const FlowState& other, const Changed& part, Values& values, Values::Growth growth) {
  bool changed = false;
  const auto merge = [&](ValueId& mine, ValueId theirs) {
    const ValueId joined = values.join(mine, theirs, growth);
    changed |= joined != mine;
    mine = joined;
  };
  for (std::size_t i = 0; i < regs.size(); ++i)
    if ((part.regs >> i & 1) != 0) merge(regs[i], other.regs[i]);
  const std::uint64_t lost = held_ & ~other.held_ & part.slots;
  changed |= lost != 0;
  held_ &= ~lost;
  for (std::uint64_t left = held_ & part.slots; left != 0; left &= left - 1) {
    const auto slot = static_cast<std::size_t>(std::countr_zero(left));
    merge(slots_[slot], other.slots_[slot]);
  }
  return changed;
}

}  // namespace skep::verifier
