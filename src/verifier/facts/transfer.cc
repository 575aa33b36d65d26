#include "verifier/facts/transfer.h"

#include <algorithm>
#include <cstring>

#include "verifier/facts/numbers.h"

namespace skep::verifier {
namespace {

using isa::AluOp;
using isa::Form;
using isa::Insn;
using isa::Op;
using Is = Value::Is;
using spec::FieldKind;

constexpr unsigned kFramePointer = 10;
constexpr unsigned kArguments = 5;

Part part_of(Op op) { return isa::bits(op) == 32 ? Part::Half : Part::Full; }
std::uint64_t immediate(const Insn& insn) { return static_cast<std::uint64_t>(std::int64_t{insn.imm}); }

// What `number` of a value says of its bits; a pointer's says nothing.
Number bits_of(const Value& value) { return value.is_plain() ? value.number : Number{}; }

bool moves_packet(const Insn& insn) {
  const Op op = isa::decode(insn);
  if (op == Op::CallKfunc || op == Op::CallReg) return true;
  if (op != Op::CallHelper) return false;
  const spec::Helper* helper = spec::find_helper(static_cast<std::uint32_t>(insn.imm));
  return helper == nullptr || helper->is(spec::HelperTrait::MovesPacket) || helper->id == spec::HelperId::tail_call;
}

}  // namespace

Transfer::Transfer(const spec::VerifyInput& input, const spec::VerifiedProgram& program, Values& values)
    : input_(input), program_(program), values_(values), context_(spec::context_of(input.type)) {
  for (unsigned i = 0; i < zero_extended_.size(); ++i) {
    zero_extended_[i] = values_.add(zero_extended(8U << i));
    sign_extended_[i] = values_.add(sign_extended(8U << i));
  }
  context_has_pointers_ = std::ranges::any_of(
      spec::fields(context_), [](const auto& field) { return field.bytes == 4 && field.kind != FieldKind::Scalar; });
  calls_move_packet_ = std::ranges::any_of(program.insns, moves_packet);
}

void Transfer::apply(Op op, std::size_t index, FlowState& state) {
  const Insn& insn = program_.insns[index];
  switch (isa::form(op)) {
    case Form::AluImm:
    case Form::AluReg:
    case Form::MovImm:
    case Form::MovReg:
    case Form::AluUnary: return alu(op, insn, state);
    case Form::CastAddrSpace: state.regs[insn.dst] = kAnyValue; return;
    case Form::LoadImm64: state.regs[insn.dst] = constant(op, index); return;
    case Form::Load:
    case Form::LoadSx:
    case Form::LoadAcquire: state.regs[insn.dst] = loaded(op, insn, state); return;
    case Form::StoreImm: return store(op, insn, state, values_.constant(immediate(insn)));
    case Form::StoreReg:
    case Form::StoreRelease: return store(op, insn, state, state.regs[insn.src]);
    case Form::Atomic:
    case Form::AtomicFetch:
    case Form::AtomicCmpXchg: return atomic(op, insn, state);
    case Form::PacketAbs:
    case Form::PacketInd:
      clobber(state, 1);
      state.regs[0] = sized(Op::Load64, isa::bits(op) / 8);
      return;
    case Form::CallHelper: return call_helper(insn, state);
    case Form::CallLocal: return call_local(state);
    case Form::CallKfunc:
    case Form::CallReg: return call_unknown(state);
    case Form::Invalid:
    case Form::Goto:
    case Form::GotoLong:
    case Form::MayGoto:
    case Form::JumpImm:
    case Form::JumpReg:
    case Form::Exit: return;
  }
}

// ---- Entries ----

FlowState Transfer::main_entry() {
  if (input_.type == spec::ProgType::Ext) return callback_entry();  // it is entered as what it replaces
  FlowState state;
  state.regs[1] = values_.add(Value{.is = Is::Context, .number = Number::constant(0)});
  state.regs[kFramePointer] = values_.add(Value{.is = Is::Frame, .number = Number::constant(0)});
  return state;
}

FlowState Transfer::callback_entry() {
  FlowState state;
  std::fill_n(state.regs.begin() + 1, kArguments, kAnyValue);
  state.regs[kFramePointer] = values_.add(Value{.is = Is::Frame, .number = Number::constant(0)});
  return state;
}

// Pointers to the caller's stack are none to the callee's.
FlowState Transfer::callee_entry(const FlowState& state) {
  FlowState entry = callback_entry();
  for (unsigned reg = 1; reg <= kArguments; ++reg)
    entry.regs[reg] = values_[state.regs[reg]].is == Is::Frame ? kAnyValue : state.regs[reg];
  return entry;
}

// ---- Numbers and pointers ----

void Transfer::alu(Op op, const Insn& insn, FlowState& state) {
  const Form form = isa::form(op);
  const AluOp alu_op = isa::alu_op(op);
  ValueId& dst = state.regs[insn.dst];
  if (form == Form::MovImm) {
    dst = values_.constant(isa::bits(op) == 32 ? isa::zext<32>(immediate(insn)) : immediate(insn));
    return;
  }
  if (form == Form::MovReg) {
    dst = moved(op, state.regs[insn.src]);
    return;
  }
  const bool by_register = form == Form::AluReg;
  const Value left = values_[dst];
  const Value right = by_register ? values_[state.regs[insn.src]]
                                  : Value{.is = Is::Integer, .number = Number::constant(immediate(insn))};
  if (part_of(op) == Part::Full && (alu_op == AluOp::Add || alu_op == AluOp::Sub)) {
    dst = values_.add(sum(alu_op, left, right));
    return;
  }
  const bool may_point = part_of(op) == Part::Full && (left.is != Is::Integer || right.is != Is::Integer);
  dst = values_.add(Value{.is = may_point ? Is::Any : Is::Integer,
                          .number = computed(alu_op, part_of(op), bits_of(left), bits_of(right))});
}

ValueId Transfer::moved(Op op, ValueId source) {
  const AluOp alu_op = isa::alu_op(op);
  if (alu_op == AluOp::Mov && isa::bits(op) == 64) return source;
  return values_.add(computed(alu_op, part_of(op), Number{}, bits_of(values_[source])));
}

// A pointer and a number is the pointer moved; the difference of two into one object is one of numbers.
Value Transfer::sum(AluOp op, const Value& dst, const Value& src) const {
  const auto with = [&](const Value& pointer, const Number& offset, const Number& by) {
    return Value{pointer.is, pointer.map, computed(op, Part::Full, offset, by)};
  };
  if (dst.has_offset() && src.is_plain()) return with(dst, dst.number, src.number);
  if (op == AluOp::Add && src.has_offset() && dst.is_plain()) return with(src, dst.number, src.number);
  if (op == AluOp::Sub && dst.is == src.is && dst.has_offset() && dst.is != Is::MapValue)
    return {.is = Is::Integer, .number = computed(op, Part::Full, dst.number, src.number)};
  const bool numbers = dst.is == Is::Integer && src.is == Is::Integer;
  return {.is = numbers ? Is::Integer : Is::Any, .number = computed(op, Part::Full, bits_of(dst), bits_of(src))};
}

ValueId Transfer::constant(Op op, std::size_t index) {
  const Insn &low = program_.insns[index], &high = program_.insns[index + 1];
  if (op == Op::LdImm64) return values_.constant(isa::imm64(low, high));
  return map_constant(op, index);
}

ValueId Transfer::map_constant(Op op, std::size_t index) {
  const std::uint32_t origin = program_.origins[index];
  const auto use = std::ranges::lower_bound(input_.map_uses, origin, {}, &spec::MapUse::insn);
  const bool named = use != input_.map_uses.end() && use->insn == origin && use->map != spec::MapUse::kNone;
  if (!named) return kAnyValue;
  if (op == Op::LdMapFd || op == Op::LdMapIdx) return values_.add(Value{.is = Is::Map, .map = use->map});
  const bool is_users = input_.maps[use->map].spec.type == spec::MapType::Arena;  // where they have it
  if (is_users || (op != Op::LdMapValue && op != Op::LdMapIdxValue)) return kAnyValue;
  const auto offset = static_cast<std::uint32_t>(program_.insns[index + 1].imm);
  return values_.add(Value{Is::MapValue, use->map, Number::constant(offset)});
}

// ---- Conditions ----

bool Transfer::refine(Op op, std::size_t index, Side side, FlowState& state) {
  const Insn& insn = program_.insns[index];
  const Form form = isa::form(op);
  if (form != Form::JumpImm && form != Form::JumpReg) return true;
  if (form == Form::JumpReg && insn.dst == insn.src) return true;
  const Value left = values_[state.regs[insn.dst]];
  const Value right = form == Form::JumpReg ? values_[state.regs[insn.src]]
                                            : Value{.is = Is::Integer, .number = Number::constant(immediate(insn))};
  const isa::JumpOp jump = isa::jump_op(op);
  if (left.is == Is::MapValueOrNull && right.is_null() && isa::bits(op) == 64) {
    if (jump != isa::JumpOp::Eq && jump != isa::JumpOp::Ne) return true;
    const bool null = (jump == isa::JumpOp::Eq) == (side == Side::Taken);
    state.regs[insn.dst] = null ? values_.constant(0) : values_.add(Value{Is::MapValue, left.map, left.number});
    return true;
  }
  if (!left.is_plain() || !right.is_plain()) return true;
  const Outcome known = outcome(jump, part_of(op), left.number, right.number, kFactRules);
  if (known != Outcome::Unknown) return (known == Outcome::Always) == (side == Side::Taken);
  Value a = left, b = right;
  verifier::refine(jump, part_of(op), side, a.number, b.number, kFactRules);
  if (a.number.contradiction() || b.number.contradiction()) return false;
  if (a != left) state.regs[insn.dst] = values_.add(a);
  if (form == Form::JumpReg && b != right) state.regs[insn.src] = values_.add(b);
  return true;
}

// ---- Memory ----

ValueId Transfer::sized(Op op, unsigned bytes) const {
  const auto log = static_cast<std::size_t>(std::countr_zero(bytes));
  return isa::form(op) == Form::LoadSx ? sign_extended_[log] : zero_extended_[log];
}

ValueId Transfer::loaded(Op op, const Insn& insn, const FlowState& state) {
  const Value& base = values_[state.regs[insn.src]];
  const unsigned bytes = isa::access_bytes(op);
  const bool fixed = base.has_offset() && base.number.is_constant();
  const std::int64_t offset = static_cast<std::int64_t>(base.number.value()) + insn.off;
  switch (base.is) {
    case Is::Frame:
      if (fixed && bytes == 8)
        if (const auto spilled = state.spilled(offset)) return *spilled;
      return bytes == 8 ? kAnyValue : sized(op, bytes);
    case Is::Context: return fixed ? loaded_from_context(op, offset, bytes) : kAnyValue;
    case Is::Packet:
    case Is::PacketMeta: return bytes == 8 ? kAnyNumber : sized(op, bytes);
    case Is::MapValue: return fixed ? loaded_from_map(op, base, offset, bytes) : loaded_from_map(op, base, -1, bytes);
    default: break;
  }
  // Through any other pointer it may be the context that is read: 4 bytes of it may be a pointer.
  const bool may_be_pointer = bytes == 8 || (bytes == 4 && context_has_pointers_ && isa::form(op) != Form::LoadSx);
  return may_be_pointer ? kAnyValue : sized(op, bytes);
}

ValueId Transfer::loaded_from_context(Op op, std::int64_t offset, unsigned bytes) {
  const spec::ContextField* field = spec::find_field(context_, static_cast<std::int32_t>(offset));
  if (field == nullptr) return kAnyValue;
  const auto start = [&](Is is) { return values_.add(Value{.is = is, .number = Number::constant(0)}); };
  switch (field->kind) {
    case FieldKind::Scalar: return bytes == 8 ? kAnyValue : sized(op, bytes);
    case FieldKind::PacketData: return start(Is::Packet);
    case FieldKind::PacketMeta: return start(Is::PacketMeta);
    case FieldKind::PacketEnd: return values_.add(Value{.is = Is::PacketEnd});
    default: return kAnyValue;
  }
}

// The value of a map of one that can no longer change is as good as a constant. `offset` is negative where it is not
// known.
ValueId Transfer::loaded_from_map(Op op, const Value& base, std::int64_t offset, unsigned bytes) {
  const spec::MapView& map = input_.maps[base.map];
  const auto at = static_cast<std::uint64_t>(offset);
  if (offset >= 0 && map.spec.max_entries == 1 && at <= map.frozen.size() && map.frozen.size() - at >= bytes) {
    std::uint64_t value = 0;
    std::memcpy(&value, map.frozen.data() + at, bytes);
    const unsigned unused = 64 - 8 * bytes;
    if (isa::form(op) != Form::LoadSx || unused == 64) return values_.constant(value);
    return values_.constant(static_cast<std::uint64_t>(static_cast<std::int64_t>(value << unused) >> unused));
  }
  if (bytes != 8) return sized(op, bytes);
  return map.fields.empty() ? kAnyNumber : kAnyValue;
}

void Transfer::store(Op op, const Insn& insn, FlowState& state, ValueId value) {
  const Value& base = values_[state.regs[insn.dst]];
  if (!base.may_reach_stack()) return;
  if (base.is != Is::Frame || !base.number.is_constant()) return state.forget_stack();
  const unsigned bytes = isa::access_bytes(op);
  const std::int64_t offset = static_cast<std::int64_t>(base.number.value()) + insn.off;
  state.forget(offset, offset + bytes);
  if (bytes == 8 && value != kAnyValue && value != kUnsetValue) state.spill(offset, value);
}

void Transfer::atomic(Op op, const Insn& insn, FlowState& state) {
  store(op, insn, state, kAnyValue);
  const Form form = isa::form(op);
  const ValueId before = isa::bits(op) == 32 ? zero_extended_[2] : kAnyValue;
  if (form == Form::AtomicFetch) state.regs[insn.src] = before;
  if (form == Form::AtomicCmpXchg) state.regs[0] = before;
}

}  // namespace skep::verifier
