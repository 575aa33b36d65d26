// One call's registers and stack.
//
// The stack is slots of 8 bytes, slot 0 being the highest (fp-8 to fp-1). Each byte has a kind; byte 7 of a slot is the
// one with the lowest address, as Linux counts. A slot whose lowest bytes are Spill holds a register's value. Slots
// exist down to the deepest that was touched. Printing is the log's. Tested by: verifier/explore/verify_test.cc.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "isa/insn.h"
#include "verifier/domain/rules.h"
#include "verifier/state/register.h"

namespace skep::verifier {

inline constexpr unsigned kSlotBytes = 8;

enum class ByteKind : std::uint8_t { Invalid, Spill, Misc, Zero };

struct Slot {
  std::array<ByteKind, kSlotBytes> bytes{};
  Register spilled;

  bool holds_register() const noexcept { return bytes.back() == ByteKind::Spill; }
  unsigned spilled_bytes() const noexcept;
  bool is_valid() const noexcept;
};

struct Frame {
  std::array<Register, isa::kRegisters> registers;
  std::vector<Slot> stack;

  unsigned depth() const noexcept { return static_cast<unsigned>(stack.size()) * kSlotBytes; }
};

// What changed since the log last showed it, as bits.
struct Changes {
  static constexpr std::uint32_t kAllRegisters = (1U << isa::kRegisters) - 1;
  std::uint32_t registers = 0;
  std::uint64_t slots = 0;

  static constexpr Changes all() noexcept { return {kAllRegisters, ~std::uint64_t{0}}; }
  bool any() const noexcept { return registers != 0 || slots != 0; }
};

// Appends " R1=ctx() R10=fp0 fp-8=mmmmmmmm": what `which` names and is set, each behind a space.
void append(std::string& out, const Frame& frame, const Changes& which, Rules rules);

}  // namespace skep::verifier
