// The mnemonics of the ubpf family, derived from the rows of opcodes.def: "add32 %r1, 5" is Add32Imm because its
// operation is Add, its width 32 and its form AluImm.
#include <fmt/format.h>

#include <algorithm>

#include "isa/matcher.h"

namespace skep::isa {
namespace {

constexpr std::string_view kAluNames[] = {
#define ALU(name, ...) #name,
#define MOVSX(name, ...) #name,
#define MOVSX64(name, ...) #name,
#define NEGATE(name, ...) #name,
#define ENDIAN(name, ...) #name,
#include "isa/alu.def"
};
constexpr std::string_view kJumpNames[] = {
#define JUMP(name, ...) #name,
#include "isa/jump.def"
};
constexpr std::string_view kAtomicNames[] = {
#define ATOMIC(name, ...) #name,
#define XCHG(name, ...) #name,
#define CMPXCHG(name, ...) #name,
#include "isa/atomic.def"
};

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
  return result;
}

std::string_view size_suffix(Op op) {
  switch (bits(op)) {
    case 8: return "b";
    case 16: return "h";
    case 32: return "w";
    default: return "dw";
  }
}

std::string_view if_32(Op op) { return bits(op) == 32 ? "32" : ""; }

// "add32", "movsx832", "swap16", "neg".
std::string alu(Op op) {
  const AluOp alu = alu_op(op);
  std::string name = lower(kAluNames[std::to_underlying(alu)]);
  if (is_sign_extending(op)) return fmt::format("{}{}", name, bits(op));
  if (form(op) == Form::AluUnary && alu != AluOp::Neg) return name;
  return fmt::format("{}{}", name, if_32(op));
}

std::string jump(Op op) { return fmt::format("j{}{}", lower(kJumpNames[std::to_underlying(jump_op(op))]), if_32(op)); }
std::string atomic(Op op) {
  return fmt::format("{}{}", lower(kAtomicNames[std::to_underlying(atomic_op(op))]), if_32(op));
}

// The line for `op` in the language of opcodes.def; empty where the mnemonics have no such instruction.
std::string line(Op op) {
  const std::string_view size = size_suffix(op);
  switch (form(op)) {
    case Form::AluImm:
    case Form::MovImm: return alu(op) + " %r%d, %x";
    case Form::AluReg:
    case Form::MovReg: return alu(op) + " %r%d, %r%s";
    case Form::AluUnary: return alu(op) + " %r%d";
    case Form::LoadImm64: return op == Op::LdImm64 ? "lddw %r%d, %q" : "";
    case Form::Load: return fmt::format("ldx{} %r%d, [%r%s%o]", size);
    case Form::LoadSx: return fmt::format("ldxs{} %r%d, [%r%s%o]", size);
    case Form::StoreImm: return fmt::format("st{} [%r%d%o], %x", size);
    case Form::StoreReg: return fmt::format("stx{} [%r%d%o], %r%s", size);
    case Form::PacketAbs: return fmt::format("ldabs{} %i", size);
    case Form::PacketInd: return fmt::format("ldind{} %r%s, %i", size);
    case Form::Atomic:
    case Form::AtomicCmpXchg: return fmt::format("lock {} [%r%d%o], %r%s", atomic(op));
    case Form::AtomicFetch:
      return fmt::format("lock {}{} [%r%d%o], %r%s", atomic_op(op) == AtomicOp::Xchg ? "" : "fetch ", atomic(op));
    case Form::Goto: return "ja %J";
    case Form::GotoLong: return "ja32 %L";
    case Form::JumpImm: return jump(op) + " %r%d, %x, %J";
    case Form::JumpReg: return jump(op) + " %r%d, %r%s, %J";
    case Form::CallHelper: return "call %h";
    case Form::CallLocal: return "call local %C";
    case Form::CallReg: return "call %r%d";
    case Form::Exit: return "exit";
    case Form::Invalid:
    case Form::CastAddrSpace:
    case Form::LoadAcquire:
    case Form::StoreRelease:
    case Form::MayGoto:
    case Form::CallKfunc: return "";
  }
  return "";
}

}  // namespace

std::vector<FormText> mnemonic_forms() {
  std::vector<FormText> forms;
  const auto add = [&](Op op, std::string text) {
    if (!text.empty()) forms.push_back({op, std::move(text)});
  };
  for (std::size_t i = 1; i < kOps; ++i) {
    const Op op = static_cast<Op>(i);
    add(op, line(op));
    if (info(op).code == info(Op::Swap16).code) add(op, "b" + line(op));  // bswap16 is swap16
  }
  return forms;
}

}  // namespace skep::isa
