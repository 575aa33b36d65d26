// What the context flow knows at one point of a program: a value for each register and each 8-byte slot
// of the stack. Values form a lattice of height 4; join() is commutative, associative and idempotent.
// Internal to exec/context_flow.cc. Tested by: exec/context_flow_test.cc.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "isa/insn.h"

namespace skep::exec {

struct Value {
  enum class Kind : std::uint8_t {
    Nothing,     // no path has come here yet
    Constant,    // `offset`
    Context,     // context pointer + `offset`
    Frame,       // frame pointer of subprogram `subprogram` + `offset`
    Function,    // subprogram `subprogram`
    Other,       // anything but a context pointer
    AnyContext,  // a context pointer, `offset` unknown
    Mixed,       // a context pointer on one path, something else on another
  };
  Kind kind = Kind::Other;
  std::uint32_t subprogram = 0;
  std::int64_t offset = 0;

  friend bool operator==(const Value&, const Value&) = default;
  bool is_context() const noexcept { return kind == Kind::Context || kind == Kind::AnyContext || kind == Kind::Mixed; }
};

inline constexpr Value kNothing{Value::Kind::Nothing, 0, 0};
constexpr Value constant(std::int64_t value) noexcept { return {Value::Kind::Constant, 0, value}; }
constexpr Value frame(std::uint32_t subprogram, std::int64_t offset) noexcept {
  return {Value::Kind::Frame, subprogram, offset};
}

// The least value above both. NULL beside a context pointer is a context pointer: a test for NULL comes before its use.
Value join(const Value& a, const Value& b) noexcept;

// Slots of a stack frame that hold something to follow; all others hold Value::Kind::Other.
class Slots {
 public:
  // The slot that holds exactly the 8 bytes at `offset` from the frame pointer, or Other.
  Value at(std::int64_t offset) const noexcept;
  // Writes `bytes` bytes at `offset`: a whole slot gets `value`, others lose what they held.
  void write(std::int64_t offset, unsigned bytes, const Value& value);
  // Joins; a slot that is missing here or there counts as Other. True if anything changed.
  bool join(const Slots& other);
  // Joins the slots of `other` only.
  bool join_present(const Slots& other);
  bool join_at(std::int64_t offset, const Value& value);
  friend bool operator==(const Slots&, const Slots&) = default;

 private:
  struct Slot {
    std::int64_t offset;
    Value value;
    friend bool operator==(const Slot&, const Slot&) = default;
  };
  void set(std::int64_t offset, const Value& value);
  std::vector<Slot> slots_;  // sorted by offset
};

struct FlowState {
  bool reached = false;
  std::array<Value, isa::kRegisters> regs{};
  Slots slots;

  bool join(const FlowState& other);  // true if anything changed
};

}  // namespace skep::exec
