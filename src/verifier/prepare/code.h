// Instructions as the passes before the walk see them: by their bytes, since nothing has said yet that they are legal.
//
// Linux asks of a whole class of codes what only some of them mean (any code of the jump classes that is no call and no
// exit jumps), and says what is wrong with the others later, so decoding comes too early here.
// Tested by: verifier/prepare/prepare_test.cc.
#pragma once

#include <cstddef>
#include <cstdint>

#include "isa/insn.h"

namespace skep::verifier::code {

using isa::Insn;

inline constexpr std::uint8_t kClassMask = 0x07, kModeMask = 0xe0, kOperationMask = 0xf0;
inline constexpr std::uint8_t kLd = 0, kLdx = 1, kStx = 3, kAlu32 = 4, kJump = 5, kJump32 = 6;
inline constexpr std::uint8_t kGoto = 0x05, kGotoLong = 0x06, kCall = 0x85, kExit = 0x95, kMayGoto = 0xe5,
                              kLdImm64 = 0x18;
inline constexpr std::uint8_t kSpill = 0x7b, kFill = 0x79;  // whole registers to and from the stack

// src of a call, and of an ld_imm64.
enum CallKind : std::uint8_t { kHelper = 0, kLocal = 1, kKfunc = 2 };
enum ConstantKind : std::uint8_t { kPlain, kMapFd, kMapValue, kBtfId, kFunc, kMapIndex, kMapIndexValue };

constexpr std::uint8_t class_of(const Insn& insn) noexcept { return insn.code & kClassMask; }
constexpr bool is_jump_class(const Insn& insn) noexcept { return class_of(insn) == kJump || class_of(insn) == kJump32; }
constexpr bool is_jump(const Insn& insn) noexcept {
  const std::uint8_t operation = insn.code & kOperationMask;
  return is_jump_class(insn) && operation != (kCall & kOperationMask) && operation != (kExit & kOperationMask);
}
constexpr bool is_goto(const Insn& insn) noexcept { return insn.code == kGoto || insn.code == kGotoLong; }
constexpr bool is_conditional(const Insn& insn) noexcept {
  return is_jump(insn) && (insn.code & kOperationMask) != (kGoto & kOperationMask);
}
constexpr bool is_call(const Insn& insn, CallKind kind) noexcept { return insn.code == kCall && insn.src == kind; }
constexpr bool calls_helper(const Insn& insn, std::int32_t id) noexcept {
  return is_call(insn, kHelper) && insn.imm == id;
}
constexpr bool is_ld_imm64(const Insn& insn) noexcept { return insn.code == kLdImm64; }
constexpr bool names_function(const Insn& insn) noexcept { return is_ld_imm64(insn) && insn.src == kFunc; }
constexpr bool loads_packet(const Insn& insn) noexcept {
  const std::uint8_t mode = insn.code & kModeMask;
  return class_of(insn) == kLd && (mode == 0x20 || mode == 0x40);
}
// Slots it takes, in a program that is not known to be well formed.
constexpr std::size_t slots(const Insn& insn) noexcept { return is_ld_imm64(insn) ? 2 : 1; }
// Where a jump goes; where the function starts that is called or named. May lie anywhere.
constexpr std::int64_t target(const Insn& insn, std::size_t index) noexcept {
  return static_cast<std::int64_t>(index) + (insn.code == kGotoLong ? insn.imm : std::int32_t{insn.off}) + 1;
}
constexpr std::int64_t function(const Insn& insn, std::size_t index) noexcept {
  return static_cast<std::int64_t>(index) + insn.imm + 1;
}

}  // namespace skep::verifier::code
