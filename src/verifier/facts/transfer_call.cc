// What calls leave of a state of the facts pass.
#include <algorithm>

#include "spec/helper_access.h"
#include "verifier/facts/transfer.h"

namespace skep::verifier {
namespace {

using isa::Insn;
using Is = Value::Is;
using spec::ArgBase;
using spec::ArgUse;

constexpr unsigned kArguments = 5;
constexpr std::int64_t kMostNegativeErrno = -4095;

// Whether looking one up gives the address of a value, not of another object.
bool has_plain_values(spec::MapType type) {
  switch (type) {
    case spec::MapType::Hash:
    case spec::MapType::Array:
    case spec::MapType::PercpuHash:
    case spec::MapType::PercpuArray:
    case spec::MapType::LruHash:
    case spec::MapType::LruPercpuHash:
    case spec::MapType::LpmTrie: return true;
    default: return false;
  }
}

// Arguments whose memory a helper leaves as it is.
bool leaves_alone(const spec::ArgInfo& argument) {
  switch (argument.base) {
    case ArgBase::None:
    case ArgBase::Scalar:
    case ArgBase::Unchecked:
    case ArgBase::Map:
    case ArgBase::Size:
    case ArgBase::AllocSize:
    case ArgBase::Ctx:
    case ArgBase::Func: return true;
    case ArgBase::MapKey:
    case ArgBase::MapValue:
    case ArgBase::Mem:
    case ArgBase::FixedMem:
    case ArgBase::ConstStr: return !spec::has(argument.use, ArgUse::Writes);
    default: return false;
  }
}

}  // namespace

// Registers r`first` to r5, and r0.
void Transfer::clobber(FlowState& state, unsigned first) {
  std::fill(state.regs.begin() + first, state.regs.begin() + kArguments + 1, kUnsetValue);
  state.regs[0] = kAnyValue;
}

void Transfer::forget_packet(FlowState& state) {
  state.replace_all([&](ValueId id) { return values_[id].is_packet() ? kAnyValue : id; });
}

bool Transfer::passes_stack(const FlowState& state) const {
  return std::any_of(state.regs.begin() + 1, state.regs.begin() + kArguments + 1,
                     [&](ValueId id) { return values_[id].is == Is::Any || values_[id].is == Is::Frame; });
}

void Transfer::call_unknown(FlowState& state) {
  if (passes_stack(state)) state.forget_stack();
  forget_packet(state);
  clobber(state, 1);
}

void Transfer::call_local(FlowState& state) {
  if (passes_stack(state)) state.forget_stack();
  if (calls_move_packet_) forget_packet(state);
  clobber(state, 1);
}

void Transfer::call_helper(const Insn& insn, FlowState& state) {
  using spec::HelperTrait;
  const auto* row = spec::find_helper(static_cast<std::uint32_t>(insn.imm));
  if (row == nullptr) return call_unknown(state);
  const spec::Helper& helper = spec::signature(input_.type, row->id);
  const ValueId result = result_of(helper, state);
  forget_written(helper, state);
  const bool calls_back = helper.is(HelperTrait::Calls) || helper.is(HelperTrait::CallsLater);
  if (helper.is(HelperTrait::MovesPacket) || (calls_back && calls_move_packet_)) forget_packet(state);
  const auto arguments = static_cast<unsigned>(helper.arg_count());
  if (!helper.is(HelperTrait::Fastcall)) {
    clobber(state, 1);
  } else {
    std::fill_n(state.regs.begin() + 1, arguments, kUnsetValue);
  }
  state.regs[0] = result;
}

ValueId Transfer::result_of(const spec::Helper& helper, const FlowState& state) {
  const spec::ResultInfo& result = spec::info(helper.result);
  using Property = spec::ResultInfo::Property;
  if (result.base == spec::ResultBase::MapValue) {
    const Value& map = values_[state.regs[1]];
    if (map.is != Is::Map || !has_plain_values(input_.maps[map.map].spec.type)) return kAnyValue;
    const Is is = result.may_be_null() ? Is::MapValueOrNull : Is::MapValue;
    return values_.add(Value{is, map.map, Number::constant(0)});
  }
  if (result.base != spec::ResultBase::Integer) return kAnyValue;
  Number number;
  if (result.property == Property::Cpu) number.full.limit_unsigned(0, input_.possible_cpus - 1);
  if (result.property == Property::Length) number.full.limit_signed(kMostNegativeErrno, INT32_MAX);
  if (result.property == Property::None || result.property == Property::Null) return kAnyNumber;
  number.sync(kFactRules);
  return values_.add(number);
}

void Transfer::forget_written(const spec::Helper& helper, FlowState& state) {
  const bool writes_anywhere = helper.id == spec::HelperId::probe_write_user;  // in a process, its own stack too
  if (helper.is(spec::HelperTrait::Calls) || writes_anywhere) return state.forget_stack();
  for (unsigned i = 0; i < helper.arg_count(); ++i) forget_written(spec::info(helper.args[i]), i + 1, state);
}

void Transfer::forget_written(const spec::ArgInfo& argument, unsigned reg, FlowState& state) {
  if (leaves_alone(argument)) return;
  const Value& value = values_[state.regs[reg]];
  if (!value.may_reach_stack() || value.is_null()) return;
  if (value.is != Is::Frame || !value.number.is_constant()) return state.forget_stack();
  const auto begin = static_cast<std::int64_t>(value.number.value());
  state.forget(begin, begin + extent(argument, reg, state));
}

// Bytes that the helper may write from the argument's address on; up to the top of the stack where that is not known.
std::int64_t Transfer::extent(const spec::ArgInfo& argument, unsigned reg, const FlowState& state) const {
  constexpr std::int64_t kAll = isa::kStackBytes;
  if (argument.base == ArgBase::FixedMem) return argument.bytes;
  if (argument.base != ArgBase::Mem || reg == kArguments) return kAll;
  const Value& size = values_[state.regs[reg + 1]];
  if (!size.is_plain() || size.number.full.umax > static_cast<std::uint64_t>(kAll)) return kAll;
  return static_cast<std::int64_t>(size.number.full.umax);
}

}  // namespace skep::verifier
