// Loads and stores as instructions.
#include "verifier/step/access.h"

namespace skep::verifier {
namespace {

using isa::Insn;
using isa::Op;

constexpr std::uint8_t kClass = 0x07, kMode = 0xe0, kMem = 0x60;
constexpr std::uint8_t kStoreRegister = 0x03;

}  // namespace

Checked step_load(Walk& walk, Op op, const Insn& insn) {
  const bool extends = isa::form(op) == isa::Form::LoadSx;
  if (isa::form(op) != isa::Form::Load && !extends) return walk.unsupported("load {:#04x}", insn.code);
  TRY_VOID(walk.check_read(insn.src));
  TRY_VOID(walk.check_write(insn.dst));
  const Kind kind = walk.peek(insn.src).kind;
  const Traits traits = walk.peek(insn.src).traits;
  TRY_VOID(check_access(walk, {.base = insn.src,
                               .offset = insn.off,
                               .size = isa::access_bytes(op),
                               .direction = Direction::Read,
                               .value = insn.dst,
                               .extends_sign = extends}));
  TRY_VOID(remember_pointer(walk, kind, traits, Direction::Read));
  return walk.settle(walk.reg(insn.dst), "ldx");
}

Checked step_store(Walk& walk, Op op, const Insn& insn) {
  const bool by_register = (insn.code & kClass) == kStoreRegister;
  const bool known = op != Op::Invalid && (insn.code & kMode) == kMem;
  if (!known || (by_register ? insn.imm : insn.src) != 0)
    return walk.reject(EINVAL, "{} uses reserved fields", by_register ? "BPF_STX" : "BPF_ST");
  if (by_register) TRY_VOID(walk.check_read(insn.src));
  TRY_VOID(walk.check_read(insn.dst));
  const Kind kind = walk.peek(insn.dst).kind;
  const Traits traits = walk.peek(insn.dst).traits;
  TRY_VOID(check_access(walk, {.base = insn.dst,
                               .offset = insn.off,
                               .size = isa::access_bytes(op),
                               .direction = Direction::Write,
                               .value = by_register ? std::optional<unsigned>(insn.src) : std::nullopt,
                               .immediate = insn.imm,
                               .stores_immediate = !by_register}));
  return remember_pointer(walk, kind, traits, Direction::Write);
}

}  // namespace skep::verifier
