// Instructions as the loop runs them: the address of the handler beside its operands, one Code for each slot of the
// image, so that indices and jump distances are the image's own. Internal to interp/.
#pragma once

#include <cstdint>
#include <optional>

#include "isa/op.h"

namespace skep::interp {

struct Operands {
  std::uint8_t dst;
  std::uint8_t src;
  std::int16_t off;
  std::int32_t imm;
};

struct Code {
  const void* handler;  // label in the loop; unused in second slots
  union {
    Operands is;
    std::uint64_t value;  // second slot: the 64-bit immediate; helper call: address of the body
  };
};
static_assert(sizeof(Code) == 16);

// The instantiations of the loop. Code is translated for one of them.
enum class Mode : std::uint8_t { Plain, Counted, Checked };

// What the loop can do beyond the instructions: handlers behind those of isa::Op.
enum class Extra : std::uint16_t {
  MissingHelper = isa::kOps,
  TailCall,
  ProbedLoad,
  ArenaAccess,
#define FUSION(name, ...) name,
#include "interp/fusions.def"
  End
};
inline constexpr std::size_t kHandlers = static_cast<std::size_t>(Extra::End);

// The handler that runs both instructions when `first` comes before `second`, if there is one (fusions.def).
std::optional<Extra> fused(const isa::Insn& first, const isa::Insn& second) noexcept;

// Addresses of the handlers of `mode`, by isa::Op and Extra.
const void* const* handlers(Mode mode) noexcept;

// What an ld_imm64 of a function gives: not an address, so that the engine can tell it from anything else.
inline constexpr std::uint64_t kFunctionTag = 0x5ce9'0000'0000'0000;
constexpr std::uint64_t function_value(std::uint64_t insn) noexcept { return kFunctionTag | insn; }

}  // namespace skep::interp
