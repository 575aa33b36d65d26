// One BPF instruction as it stands in memory (RFC 9669 section 3), host byte order.
//
// The wire form is the currency of the whole house: bpf(2) hands it in, the verifier reads it, images
// hold it. What an instruction *means* is looked up in isa/op.h. Tested by: isa/*_test.cc.
#pragma once

#include <compare>
#include <cstdint>

namespace skep::isa {

struct Insn {
  std::uint8_t code = 0;
  std::uint8_t dst : 4 = 0;
  std::uint8_t src : 4 = 0;
  std::int16_t off = 0;
  std::int32_t imm = 0;

  friend bool operator==(const Insn&, const Insn&) = default;
};
static_assert(sizeof(Insn) == 8);

inline constexpr unsigned kRegisters = 11;    // r0-r9 and the frame pointer r10
inline constexpr unsigned kStackBytes = 512;  // of one frame
inline constexpr unsigned kMaxFrames = 8;     // main and 7 calls below it
// imm of addr_space_cast: of an arena's address, from a user's and to one.
inline constexpr std::int32_t kToProgram = 1, kToUser = 1 << 16;
inline constexpr unsigned kMaxTailCalls = 33;  // in one run
inline constexpr unsigned kMaxInsns = 1'000'000;

}  // namespace skep::isa
