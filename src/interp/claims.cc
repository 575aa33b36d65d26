#include "interp/claims.h"

#include <fmt/format.h>

#include <algorithm>

#include "exec/packet_view.h"
#include "interp/objects.h"

namespace skep::interp {
namespace {

using spec::Fact;
using spec::Facts;
using Kind = Fact::Kind;

bool is_map(const Program& program, spec::MapId id, std::uint64_t value) {
  return std::ranges::any_of(program.maps(), [&](const maps::Map* map) {
    return reinterpret_cast<std::uint64_t>(map) == value && map->id() == id;
  });
}

bool is_in_value(const Machine& machine, const Fact& fact, std::uint64_t value) {
  const Objects& objects = *machine.objects;
  const bool fixed = fact.numbers.umin == fact.numbers.umax;
  const auto start = objects.start_of_value(fact.map, fixed ? value - fact.numbers.umin : value);
  if (!start) return !fixed || objects.has_forgotten();
  return fact.numbers.has(value - *start);
}

bool is_of_packet(const Machine& machine, const Fact& fact, std::uint64_t value) {
  const exec::ContextKind context = machine.program->image().context;
  if (context == exec::ContextKind::Memory) return true;  // where its packet lies, nobody here knows
  const exec::PacketEdges packet = exec::packet_edges(context, machine.call.context);
  if (fact.kind == Kind::PacketEnd) return value == packet.end;
  return fact.numbers.has(value - (fact.kind == Kind::Packet ? packet.data : packet.meta));
}

bool holds(const Machine& machine, const Fact& fact, std::uint64_t value) {
  const auto base = [&](std::uint64_t address) { return fact.numbers.has(value - address); };
  switch (fact.kind) {
    case Kind::Unknown: return true;
    case Kind::Number: return fact.numbers.has(value);
    case Kind::Context: return base(reinterpret_cast<std::uint64_t>(machine.call.context));
    case Kind::Frame: return base(machine.frame_pointer());
    case Kind::Packet:
    case Kind::PacketMeta:
    case Kind::PacketEnd: return is_of_packet(machine, fact, value);
    case Kind::MapValueOrNull: return value == 0 || is_in_value(machine, fact, value);
    case Kind::MapValue: return is_in_value(machine, fact, value);
    case Kind::Map: return is_map(*machine.program, fact.map, value);
  }
  return false;
}

}  // namespace

bool claims_hold(const Machine& machine, const Code* pc, const std::uint64_t* r) noexcept {
  const Facts& facts = *machine.facts;
  const std::uint32_t insn = machine.program->index_of(pc, machine.mode);
  if (!facts.reached(insn)) return false;
  return std::ranges::all_of(facts.news(insn), [&](Facts::Claim claim) {
    const Fact& fact = facts.of(claim);
    return fact.kind == Kind::Number ? fact.numbers.has(r[claim.reg]) : holds(machine, fact, r[claim.reg]);
  });
}

std::uint64_t stop_refuted(Machine& machine, const Code* pc, const std::uint64_t* r) noexcept {
  const Facts& facts = *machine.facts;
  const std::uint32_t insn = machine.program->index_of(pc, machine.mode);
  if (!facts.reached(insn)) return stop(machine, pc, exec::Failure::Kind::WrongFact, "no path was said to come here");
  for (const Facts::Claim claim : facts.news(insn)) {
    const Fact& fact = facts.of(claim);
    if (holds(machine, fact, r[claim.reg])) continue;
    const auto reg = static_cast<unsigned>(claim.reg);
    return stop(machine, pc, exec::Failure::Kind::WrongFact,
                fmt::format("r{} is {:#x} and was said to be {}", reg, r[reg], spec::describe(fact)));
  }
  return stop(machine, pc, exec::Failure::Kind::WrongFact, {});
}

}  // namespace skep::interp
