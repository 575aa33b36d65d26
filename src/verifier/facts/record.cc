#include "verifier/facts/record.h"

#include <utility>

namespace skep::verifier {
namespace {

using Kind = spec::Fact::Kind;
using Reach = spec::Facts::Reach;

Kind kind_of(const Value& value) {
  using Is = Value::Is;
  switch (value.is) {
    case Is::Any:
    case Is::Integer: return value.number == Number{} ? Kind::Unknown : Kind::Number;
    case Is::Unset: return Kind::Unknown;
    case Is::Context: return Kind::Context;
    case Is::Frame: return Kind::Frame;
    case Is::Packet: return Kind::Packet;
    case Is::PacketMeta: return Kind::PacketMeta;
    case Is::PacketEnd: return Kind::PacketEnd;
    case Is::MapValue: return Kind::MapValue;
    case Is::MapValueOrNull: return Kind::MapValueOrNull;
    case Is::Map: return Kind::Map;
  }
  return Kind::Unknown;
}

}  // namespace

spec::Numbers numbers_of(const Number& number) noexcept {
  return {.bits = number.bits.value,
          .unknown = number.bits.mask,
          .umin = number.full.umin,
          .umax = number.full.umax,
          .smin = number.full.smin,
          .smax = number.full.smax,
          .low_umin = number.half.umin,
          .low_umax = number.half.umax,
          .low_smin = number.half.smin,
          .low_smax = number.half.smax};
}

FactRecorder::FactRecorder(const spec::VerifyInput& input, const Values& values, std::size_t insns)
    : input_(input), values_(values) {
  facts_.entries.resize(insns);
  facts_.claims.reserve(2 * insns);
  facts_.values.reserve(insns + 1);
}

std::uint32_t FactRecorder::fact_of(ValueId id) {
  if (id >= fact_of_.size()) fact_of_.resize(values_.size() + 64);
  std::uint32_t& fact = fact_of_[id];
  if (fact != 0) return fact;
  const Value& value = values_[id];
  const Kind kind = kind_of(value);
  if (kind == Kind::Unknown) return 0;
  const bool of_map = kind == Kind::Map || kind == Kind::MapValue || kind == Kind::MapValueOrNull;
  fact = static_cast<std::uint32_t>(facts_.values.size());
  facts_.values.push_back({kind, of_map ? input_.maps[value.map].id : spec::MapId::None, numbers_of(value.number)});
  return fact;
}

void FactRecorder::claim(std::size_t insn, Reach reach) {
  facts_.entries[insn] = {static_cast<std::uint32_t>(facts_.claims.size()), 0, reach};
}

void FactRecorder::start(std::size_t insn, const FlowState& state) {
  claim(insn, Reach::Anew);
  said_ = state.regs;
  for (unsigned reg = 0; reg < said_.size(); ++reg)
    if (const std::uint32_t fact = fact_of(said_[reg])) facts_.claims.push_back(spec::Facts::Claim::of(reg, fact));
  facts_.entries[insn].count = static_cast<std::uint16_t>(facts_.claims.size() - facts_.entries[insn].first);
}

void FactRecorder::next(std::size_t insn, const FlowState& state) {
  claim(insn, Reach::Follows);
  for (unsigned reg = 0; reg < said_.size(); ++reg) {
    if (said_[reg] == state.regs[reg]) continue;
    facts_.claims.push_back(spec::Facts::Claim::of(reg, fact_of(state.regs[reg])));
    ++facts_.entries[insn].count;
    said_[reg] = state.regs[reg];
  }
}

void FactRecorder::second_slot(std::size_t insn) { claim(insn, Reach::Follows); }

}  // namespace skep::verifier
