// One call's registers and stack.
//
// The stack is slots of 8 bytes, slot 0 being the highest (fp-8 to fp-1). Each byte has a kind; byte 7 of a slot is the
// one with the lowest address, as Linux counts. A slot whose lowest bytes are Spill holds a register's value. Slots
// exist down to the deepest that was touched. Frames are shared between states (state.h) and copied when written.
// Tested by: verifier/explore/verify_test.cc.
#pragma once

#include <array>
#include <cstdint>
#include <memory_resource>
#include <string>
#include <vector>

#include "isa/insn.h"
#include "verifier/domain/rules.h"
#include "verifier/state/register.h"

namespace skep::verifier {

inline constexpr unsigned kSlotBytes = 8;
inline constexpr unsigned kMaxSlots = isa::kStackBytes / kSlotBytes;

enum class ByteKind : std::uint8_t { Invalid, Spill, Misc, Zero, Dynptr, Iterator };

struct Slot {
  std::array<ByteKind, kSlotBytes> bytes{};
  Register spilled;  // also what is known of a dynptr or an iterator that lies here

  bool holds_register() const noexcept { return bytes.back() == ByteKind::Spill; }
  bool holds_scalar() const noexcept { return holds_register() && spilled.is_scalar(); }
  // A whole spilled scalar or pointer, not just its lower bytes.
  bool holds_whole_register() const noexcept { return bytes.front() == ByteKind::Spill; }
  bool all(ByteKind kind) const noexcept {
    for (const ByteKind byte : bytes)
      if (byte != kind) return false;
    return true;
  }
  unsigned spilled_bytes() const noexcept;
  bool is_valid() const noexcept;  // any byte is not Invalid
};

// How a frame came to be called.
enum class CallKind : std::uint8_t { Plain, Callback, AsyncCallback, ExceptionCallback };

struct ReturnRange {
  std::int32_t min = 0, max = 0;
  friend bool operator==(const ReturnRange&, const ReturnRange&) = default;
};

struct Frame {
  static constexpr std::int32_t kNoCaller = -1;

  explicit Frame(std::pmr::memory_resource* memory = std::pmr::get_default_resource()) : stack(memory) {}

  std::array<Register, isa::kRegisters> registers;
  std::pmr::vector<Slot> stack;
  std::int32_t callsite = kNoCaller;  // index of the call instruction
  std::uint32_t subprog = 0;
  std::uint32_t async_entry = 0;  // how often an asynchronous callback was entered before
  std::uint32_t callback_depth = 0;
  CallKind called_as = CallKind::Plain;
  ReturnRange callback_returns;  // what a callback may return
  std::uint32_t owners = 0;      // states that share it; the pool's concern

  unsigned depth() const noexcept { return static_cast<unsigned>(stack.size()) * kSlotBytes; }
};

}  // namespace skep::verifier
