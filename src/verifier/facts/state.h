// The state of the facts pass at one point: a value for each register and for each 8-byte slot of the stack that holds
// one. Values live in a pool and are named by number, so that states are small and equal values cost one comparison.
// Tested by: verifier/facts/facts_test.cc.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <vector>

#include "isa/insn.h"
#include "verifier/facts/loops.h"
#include "verifier/facts/value.h"

namespace skep::verifier {

using ValueId = std::uint32_t;
inline constexpr ValueId kAnyValue = 0, kUnsetValue = 1, kAnyNumber = 2;

// References to values stay good: they live in chunks that never move.
class Values {
 public:
  Values() {
    add(Value{});
    add(Value{.is = Value::Is::Unset});
    add(Value{.is = Value::Is::Integer});
  }

  const Value& operator[](ValueId id) const noexcept { return chunks_[id / kChunk][id % kChunk]; }
  std::size_t size() const noexcept { return size_; }
  ValueId add(const Value& value) {
    if (size_ % kChunk == 0) chunks_.emplace_back().reserve(kChunk);
    chunks_.back().push_back(value);
    return size_++;
  }
  ValueId add(const Number& number) { return add(Value{.is = Value::Is::Integer, .number = number}); }
  ValueId constant(std::uint64_t x) { return add(Number::constant(x)); }
  // The join of both: `a` itself where it has all of `b`. Widened if it is to end soon.
  enum class Growth : std::uint8_t { Exact, Widened };
  ValueId join(ValueId a, ValueId b, Growth growth);

 private:
  static constexpr ValueId kChunk = 256;
  std::vector<std::vector<Value>> chunks_;
  ValueId size_ = 0;
};

class FlowState {
 public:
  static constexpr unsigned kSlots = isa::kStackBytes / 8;

  FlowState() noexcept { regs.fill(kUnsetValue); }
  std::array<ValueId, isa::kRegisters> regs;

  // The value spilled at `offset` from the frame pointer, if its 8 bytes hold one that is known.
  std::optional<ValueId> spilled(std::int64_t offset) const noexcept {
    const auto slot = slot_at(offset);
    if (!slot || (held_ >> *slot & 1) == 0) return std::nullopt;
    return slots_[*slot];
  }
  void spill(std::int64_t offset, ValueId value) noexcept {
    if (const auto slot = slot_at(offset)) held_ |= std::uint64_t{1} << *slot, slots_[*slot] = value;
  }
  // What is spilled in [begin, end) of the frame, below its top at 0, is no longer known.
  void forget(std::int64_t begin, std::int64_t end) noexcept;
  void forget_stack() noexcept { held_ = 0; }
  // Each register and slot: `change(id)` is put in its place.
  template <class Change>
  void replace_all(Change change) {
    for (ValueId& reg : regs) reg = change(reg);
    for (std::uint64_t left = held_; left != 0; left &= left - 1) {
      ValueId& slot = slots_[static_cast<std::size_t>(std::countr_zero(left))];
      slot = change(slot);
    }
  }
  // Becomes the join of both, in what `part` names; whether that is anything new.
  bool join(const FlowState& other, const Changed& part, Values& values, Values::Growth growth);

 private:
  // 0 is the slot below the frame pointer.
  static std::optional<unsigned> slot_at(std::int64_t offset) noexcept {
    if (offset >= 0 || offset < -std::int64_t{isa::kStackBytes} || offset % 8 != 0) return std::nullopt;
    return static_cast<unsigned>(-offset / 8 - 1);
  }

  std::uint64_t held_ = 0;  // bit n: slots_[n] is known
  std::array<ValueId, kSlots> slots_{};
};

}  // namespace skep::verifier
