#include "isa/op.h"

#include <algorithm>

namespace skep::isa {
namespace {

constexpr std::array<OpInfo, kOps> kRows = {{
    {"Invalid", "", 0, Select::Whole, 0, Form::Invalid, 0, 0, Group::Linux, Dialects::Both},
#define OP(name, code, select, key, form, bits, sub, group, dialect, text) \
  {#name,        text,                                                     \
   code,         Select::select,                                           \
   key,          Form::form,                                               \
   bits,         static_cast<std::uint8_t>(sub),                           \
   Group::group, Dialects::dialect},
#include "isa/opcodes.def"
}};

// Two rows claim the same encoding, or select on different fields of one code byte.
consteval bool rows_clash() {
  for (std::size_t i = 1; i < kOps; ++i)
    for (std::size_t j = 1; j < i; ++j)
      if (kRows[i].code == kRows[j].code && (kRows[i].key == kRows[j].key || kRows[i].select != kRows[j].select))
        return true;
  return false;
}
static_assert(!rows_clash());
static_assert(kOps <= 256);

// Where detail::word() has the field.
consteval std::uint8_t shift_of(Select select) { return select == Select::Imm ? 32 : select == Select::Off ? 16 : 0; }
consteval std::uint32_t mask_of(Select select) {
  switch (select) {
    case Select::Whole: return 0;
    case Select::Src: return 0xf;
    case Select::Off: return 0xffff;
    case Select::Imm: return 0xffffffff;
  }
  return 0;
}

consteval std::array<detail::CodeSlot, 256> code_slots() {
  std::array<detail::CodeSlot, 256> slots{};
  for (const OpInfo& row : std::span(kRows).subspan(1)) {
    auto& slot = slots[row.code];
    slot.mask = mask_of(row.select);
    slot.shift = shift_of(row.select);
    slot.span = std::max<std::uint16_t>(slot.span, static_cast<std::uint16_t>(row.key + 1));
  }
  std::uint16_t base = 0;
  for (auto& slot : slots) {
    slot.base = base;
    base = static_cast<std::uint16_t>(base + slot.span);
  }
  return slots;
}
constexpr auto kSlots = code_slots();

static_assert(kSlots[255].base + kSlots[255].span <= detail::kKeys);

consteval std::array<Op, detail::kKeys> ops_by_key() {
  std::array<Op, detail::kKeys> ops{};
  for (std::size_t i = 1; i < kOps; ++i) ops[kSlots[kRows[i].code].base + kRows[i].key] = static_cast<Op>(i);
  return ops;
}

// The registers that `roles` of forms.def are in `insn`.
RegisterSet registers(std::uint32_t roles, const Insn& insn) {
  std::uint32_t set = roles & 0x7ff;
  if (roles & detail::D) set |= 1U << insn.dst;
  if (roles & detail::S) set |= 1U << insn.src;
  return static_cast<RegisterSet>(set & 0x7ff);
}

constexpr std::uint8_t field_of(Select select) {
  switch (select) {
    case Select::Whole: return 0;
    case Select::Src: return kSrc;
    case Select::Off: return kOff;
    case Select::Imm: return kImm;
  }
  return 0;
}

}  // namespace

constinit const std::array<OpInfo, kOps> kOpInfo = kRows;
constinit const std::array<detail::CodeSlot, 256> detail::kCodeSlots = kSlots;
constinit const std::array<Op, detail::kKeys> detail::kOpByKey = ops_by_key();

Insn encode(Op op) noexcept {
  const OpInfo& row = info(op);
  Insn insn{.code = row.code};
  switch (row.select) {
    case Select::Whole: break;
    case Select::Src: insn.src = row.key & 0xf; break;
    case Select::Off: insn.off = static_cast<std::int16_t>(row.key); break;
    case Select::Imm: insn.imm = row.key; break;
  }
  return insn;
}

bool is_sign_extending(Op op) noexcept {
  if (form(op) == Form::LoadSx) return true;
  if (form(op) != Form::MovReg) return false;
  return alu_op(op) == AluOp::MovSx8 || alu_op(op) == AluOp::MovSx16 || alu_op(op) == AluOp::MovSx32;
}

RegisterSet reads(Op op, const Insn& insn) noexcept { return registers(form_info(op).reads, insn); }
RegisterSet writes(Op op, const Insn& insn) noexcept { return registers(form_info(op).writes, insn); }

std::optional<std::int64_t> jump_target(Op op, const Insn& insn, std::size_t index) noexcept {
  if (!is_jump(op)) return {};
  return static_cast<std::int64_t>(index) + 1 + (form(op) == Form::GotoLong ? insn.imm : insn.off);
}

std::optional<std::int64_t> subprog_target(Op op, const Insn& insn, std::size_t index) noexcept {
  if (op != Op::CallLocal && op != Op::LdFunc) return {};
  return static_cast<std::int64_t>(index) + 1 + insn.imm;
}

std::uint8_t stray_fields(Op op, const Insn& insn) noexcept {
  if (op == Op::Invalid) return 0;
  const unsigned set =
      (insn.dst ? kDst : 0U) | (insn.src ? kSrc : 0U) | (insn.off ? kOff : 0U) | (insn.imm ? kImm : 0U);
  return static_cast<std::uint8_t>(set & ~unsigned{form_info(op).fields} & ~unsigned{field_of(info(op).select)});
}

// ---- Legality ----

std::string_view text(Illegal why) noexcept {
  static constexpr std::string_view kTexts[] = {
#define ILLEGAL(name, text) text,
#include "isa/illegal.def"
  };
  return kTexts[std::to_underlying(why)];
}

Illegal check(const Insn& insn, Dialect dialect) noexcept {
  const Op op = decode(insn);
  const OpInfo& row = info(op);
  if (op == Op::Invalid)
    return detail::kCodeSlots[insn.code].span == 0 ? Illegal::UnknownOpcode : Illegal::UnknownVariant;
  if (row.dialects == (dialect == Dialect::Linux ? Dialects::OnlyRfc : Dialects::OnlyLinux))
    return Illegal::NotInDialect;
  if (insn.dst >= kRegisters) return Illegal::BadDstRegister;
  if (insn.src >= kRegisters) return Illegal::BadSrcRegister;
  const unsigned stray = stray_fields(op, insn);
  if (stray & kDst) return Illegal::ReservedDst;
  if (stray & kSrc) return Illegal::ReservedSrc;
  if (stray & kOff) return Illegal::ReservedOff;
  if (stray & kImm) return Illegal::ReservedImm;
  if (writes(op, insn) & (1 << 10)) return Illegal::WritesFramePointer;
  if (op == Op::CastAddrSpace && insn.imm != kToProgram && insn.imm != kToUser) return Illegal::BadAddressSpaces;
  return Illegal::None;
}

Illegal check_second_slot(std::span<const Insn> program, std::size_t index) noexcept {
  if (index + 1 >= program.size()) return Illegal::MissingSecondSlot;
  const Insn& second = program[index + 1];
  if (second.code || second.dst || second.src || second.off) return Illegal::BadSecondSlot;
  const Op op = decode(program[index]);
  const bool used = op != Op::LdMapFd && op != Op::LdMapIdx && op != Op::LdFunc;
  return used || !second.imm ? Illegal::None : Illegal::ReservedSecondImm;
}

Illegal check(std::span<const Insn> program, std::size_t index, Dialect dialect) noexcept {
  const Insn& insn = program[index];
  const Illegal why = check(insn, dialect);
  if (why != Illegal::None || !is_ld_imm64(decode(insn))) return why;
  return check_second_slot(program, index);
}

std::string_view name(Group group) noexcept {
  switch (group) {
    case Group::Base32: return "base32";
    case Group::Base64: return "base64";
    case Group::DivMul32: return "divmul32";
    case Group::DivMul64: return "divmul64";
    case Group::Atomic32: return "atomic32";
    case Group::Atomic64: return "atomic64";
    case Group::Packet: return "packet";
    case Group::Callx: return "callx";
    case Group::Linux: return "linux";
  }
  return "";
}

}  // namespace skep::isa
