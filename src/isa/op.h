// The instruction set: which operation an instruction is, what its operands are, and whether it is legal.
//
// One row per operation in opcodes.def, one per operand shape in forms.def; everything here is read from those
// tables at compile time. Decoding is total: whatever is no operation is Op::Invalid, and what is wrong with an
// instruction (an operation with reserved fields set decodes as that operation) is data, told by check(), because
// the verifier complains about things in its own order. Source: RFC 9669; Linux for what the RFC leaves out
// (may_goto, addr_space_cast, load-acquire and store-release).
//
// Cost: decode() is two table look-ups; info() one. No state, no allocation, any thread.
// Tested by: isa/op_test.cc; the encodings are checked for duplicates at compile time (isa/op.cc).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "isa/eval.h"
#include "isa/insn.h"

namespace skep::isa {

enum class Op : std::uint8_t {
  Invalid,
#define OP(name, ...) name,
#include "isa/opcodes.def"
};

inline constexpr std::size_t kOps = 1
#define OP(...) +1
#include "isa/opcodes.def"
    ;

enum class Form : std::uint8_t {
#define FORM(name, ...) name,
#include "isa/forms.def"
};

// Conformance group of RFC 9669 section 2.4; a 64-bit group includes its 32-bit one.
enum class Group : std::uint8_t { Base32, Base64, DivMul32, DivMul64, Atomic32, Atomic64, Packet, Callx, Linux };

enum class Dialect : std::uint8_t { Rfc9669, Linux };
enum class Dialects : std::uint8_t { Both, OnlyLinux, OnlyRfc };

// The field that tells instructions of one code byte apart.
enum class Select : std::uint8_t { Whole, Src, Off, Imm };

// Sets of registers, bit n for rN, and of fields.
using RegisterSet = std::uint16_t;
inline constexpr std::uint8_t kDst = 1, kSrc = 2, kOff = 4, kImm = 8;

// Traits of a form. kEnds: never falls through.
inline constexpr std::uint8_t kJumps = 1, kEnds = 2, kCalls = 4, kReadsMemory = 8, kWritesMemory = 16, kIsAtomic = 32,
                              kReadsPacket = 64;

struct FormInfo {
  std::uint8_t fields;  // that carry a meaning (kDst...)
  std::uint8_t traits;
  std::uint32_t reads;  // registers: bits 0-10, and two for the fields
  std::uint32_t writes;
};

struct OpInfo {
  std::string_view name;
  std::string_view text;  // see opcodes.def
  std::uint8_t code;
  Select select;
  std::uint16_t key;
  Form form;
  std::uint8_t bits;  // of the operation, or of the memory access
  std::uint8_t sub;   // AluOp, JumpOp or AtomicOp
  Group group;
  Dialects dialects;
};

// Row of an operation; the row of Op::Invalid has no text.
extern const std::array<OpInfo, kOps> kOpInfo;
inline const OpInfo& info(Op op) noexcept { return kOpInfo[std::to_underlying(op)]; }

namespace detail {
struct CodeSlot {  // a code byte's stretch of kOpByKey, and how to find the key
  std::uint16_t base;
  std::uint16_t span;
  std::uint32_t mask;  // of word() >> shift
  std::uint8_t shift;
};
inline constexpr std::size_t kKeys = 2048;  // room for all stretches; op.cc checks that it suffices
extern const std::array<CodeSlot, 256> kCodeSlots;
extern const std::array<Op, kKeys> kOpByKey;

// The fields a Select can name, side by side, so that picking one takes no branch.
constexpr std::uint64_t word(const Insn& insn) noexcept {
  return std::uint64_t{static_cast<std::uint32_t>(insn.imm)} << 32 |
         std::uint64_t{static_cast<std::uint16_t>(insn.off)} << 16 | insn.src;
}
}  // namespace detail

// The operation `insn` is. Looks only at what tells operations apart: other reserved fields are check()'s
// concern. The second slot of a 64-bit immediate is Op::Invalid by itself.
inline Op decode(const Insn& insn) noexcept {
  const detail::CodeSlot& slot = detail::kCodeSlots[insn.code];
  const std::uint32_t key = static_cast<std::uint32_t>(detail::word(insn) >> slot.shift) & slot.mask;
  return key < slot.span ? detail::kOpByKey[slot.base + key] : Op::Invalid;
}

// An instruction with the fields that make it `op` set, and all others zero. Total; zero for Op::Invalid.
Insn encode(Op op) noexcept;

// ---- What an operation is ----

namespace detail {
inline constexpr std::uint32_t R0 = 1, R6 = 1 << 6, kArguments = 0x3e, kCallerSaved = 0x3e, D = 1 << 16, S = 1 << 17;
inline constexpr FormInfo kForms[] = {
#define FORM(name, fields, reads, writes, traits) {fields, traits, reads, writes},
#include "isa/forms.def"
};
}  // namespace detail

inline Form form(Op op) noexcept { return info(op).form; }
inline const FormInfo& form_info(Op op) noexcept { return detail::kForms[std::to_underlying(form(op))]; }
inline bool has(Op op, unsigned traits) noexcept { return form_info(op).traits & traits; }  // any of them
inline unsigned bits(Op op) noexcept { return info(op).bits; }
inline AluOp alu_op(Op op) noexcept { return static_cast<AluOp>(info(op).sub); }           // of Alu*, Mov* forms
inline JumpOp jump_op(Op op) noexcept { return static_cast<JumpOp>(info(op).sub); }        // of Jump* forms
inline AtomicOp atomic_op(Op op) noexcept { return static_cast<AtomicOp>(info(op).sub); }  // of Atomic* forms

inline bool is_ld_imm64(Op op) noexcept { return form(op) == Form::LoadImm64; }
inline unsigned slots(Op op) noexcept { return is_ld_imm64(op) ? 2 : 1; }
// helper, subprogram, kfunc or register
inline bool is_call(Op op) noexcept { return has(op, kCalls); }
// conditional or not; calls and exit are none
inline bool is_jump(Op op) noexcept { return has(op, kJumps); }
// may also fall through; may_goto is one
inline bool is_conditional_jump(Op op) noexcept { return is_jump(op) && !has(op, kEnds); }
// never falls through: goto, gotol, exit
inline bool is_terminator(Op op) noexcept { return has(op, kEnds); }
// read-modify-write, load-acquire, store-release
inline bool is_atomic(Op op) noexcept { return has(op, kIsAtomic); }
// through a register; packet loads not
inline bool reads_memory(Op op) noexcept { return has(op, kReadsMemory); }
inline bool writes_memory(Op op) noexcept { return has(op, kWritesMemory); }
// of a memory or packet access; else 0
inline unsigned access_bytes(Op op) noexcept {
  return has(op, kReadsMemory | kWritesMemory | kReadsPacket) ? bits(op) / 8 : 0;
}
bool is_sign_extending(Op op) noexcept;  // sign-extending loads and moves

// ---- What an instruction does ----

// Registers whose value the instruction uses, and those it sets or makes unusable (a call's r1-r5). A register
// field above r10 counts for nothing.
RegisterSet reads(Op op, const Insn& insn) noexcept;
RegisterSet writes(Op op, const Insn& insn) noexcept;
inline RegisterSet reads(const Insn& insn) noexcept { return reads(decode(insn), insn); }
inline RegisterSet writes(const Insn& insn) noexcept { return writes(decode(insn), insn); }

// Index an instruction at `index` jumps to if it jumps; nothing for what is no jump. May lie anywhere.
std::optional<std::int64_t> jump_target(Op op, const Insn& insn, std::size_t index) noexcept;
// Index of the subprogram a local call, or a load of a function's address, names; nothing for others.
std::optional<std::int64_t> subprog_target(Op op, const Insn& insn, std::size_t index) noexcept;

// Fields (kDst...) that mean nothing to `op` and yet are not zero; 0 for Op::Invalid, which has no fields.
std::uint8_t stray_fields(Op op, const Insn& insn) noexcept;

// Value of a 64-bit immediate from its two slots.
constexpr std::uint64_t imm64(const Insn& low, const Insn& high) noexcept {
  return std::uint64_t{static_cast<std::uint32_t>(high.imm)} << 32 | static_cast<std::uint32_t>(low.imm);
}

// ---- Whether it is legal ----

enum class Illegal : std::uint8_t {
#define ILLEGAL(name, text) name,
#include "isa/illegal.def"
};
std::string_view text(Illegal why) noexcept;

// The first thing wrong with `insn` by itself, in the order of illegal.def; Illegal::None if nothing is.
// What depends on values (division by a zero immediate, shift counts) is not asked here.
Illegal check(const Insn& insn, Dialect dialect) noexcept;
// The same for the instruction at `index` of a program, second slots of 64-bit immediates included.
Illegal check(std::span<const Insn> program, std::size_t index, Dialect dialect) noexcept;

// Of the second slot of the 64-bit immediate at `index` only.
Illegal check_second_slot(std::span<const Insn> program, std::size_t index) noexcept;

std::string_view name(Group group) noexcept;

}  // namespace skep::isa
