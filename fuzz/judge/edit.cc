#include "judge/edit.h"

#include <algorithm>
#include <optional>

#include "isa/op.h"

namespace skep::judge {
namespace {

// Index the instruction at `index` leads to, apart from the next.
std::optional<std::int64_t> target(const Program& program, std::size_t index) {
  const isa::Insn& insn = program.insns[index];
  const isa::Op op = isa::decode(insn);
  const auto jump = isa::jump_target(op, insn, index);
  return jump ? jump : isa::subprog_target(op, insn, index);
}

void point(isa::Insn& insn, std::int64_t distance) {
  const isa::Op op = isa::decode(insn);
  if (isa::is_jump(op) && op != isa::Op::GotoLong)
    insn.off = static_cast<std::int16_t>(distance);
  else
    insn.imm = static_cast<std::int32_t>(distance);
}

// Second slots are no instructions.
template <class Visit>
void each_target(Program& program, Visit visit) {
  for (std::size_t i = 0; i < program.insns.size(); i += slots_at(program, i))
    if (const auto to = target(program, i)) visit(i, *to);
}

// Moves everything at `from` and behind by `by` slots, in what points there.
void shift(Program& program, std::size_t from, std::ptrdiff_t by) {
  const auto moved = [&](std::int64_t at) { return at >= static_cast<std::int64_t>(from) ? at + by : at; };
  each_target(program, [&](std::size_t i, std::int64_t to) {
    point(program.insns[i], moved(to) - moved(static_cast<std::int64_t>(i)) - 1);
  });
  for (MapName& map : program.maps) map.insn = static_cast<std::size_t>(moved(static_cast<std::int64_t>(map.insn)));
  for (FunctionStart& f : program.functions)
    f.insn = static_cast<std::size_t>(moved(static_cast<std::int64_t>(f.insn)));
}

}  // namespace

std::size_t slots_at(const Program& program, std::size_t index) {
  const bool wide = isa::is_ld_imm64(isa::decode(program.insns[index]));
  return wide && index + 1 < program.insns.size() ? 2 : 1;
}

void erase(Program& program, std::size_t index, std::size_t count) {
  count = std::min(count, program.insns.size() - index);
  const std::size_t end = index + count;
  std::erase_if(program.maps, [&](const MapName& map) { return map.insn >= index && map.insn < end; });
  std::erase_if(program.functions, [&](const FunctionStart& f) { return f.insn > index && f.insn < end; });
  // What leads into the hole leads to its end first.
  each_target(program, [&](std::size_t i, std::int64_t to) {
    if (to > static_cast<std::int64_t>(index) && to < static_cast<std::int64_t>(end))
      point(program.insns[i], static_cast<std::int64_t>(index) - static_cast<std::int64_t>(i) - 1);
  });
  shift(program, end, -static_cast<std::ptrdiff_t>(count));
  const auto first = program.insns.begin() + static_cast<std::ptrdiff_t>(index);
  program.insns.erase(first, first + static_cast<std::ptrdiff_t>(count));
  const auto last = std::ranges::unique(program.functions, {}, &FunctionStart::insn);
  program.functions.erase(last.begin(), last.end());
  std::erase_if(program.functions, [&](const FunctionStart& f) { return f.insn >= program.insns.size(); });
}

void duplicate(Program& program, std::size_t index) {
  const std::size_t count = slots_at(program, index), end = index + count;
  const std::vector<isa::Insn> copy(program.insns.begin() + static_cast<std::ptrdiff_t>(index),
                                    program.insns.begin() + static_cast<std::ptrdiff_t>(end));
  const auto to = target(program, index);
  shift(program, end, static_cast<std::ptrdiff_t>(count));
  program.insns.insert(program.insns.begin() + static_cast<std::ptrdiff_t>(end), copy.begin(), copy.end());
  if (to) {
    const auto count_slots = static_cast<std::int64_t>(count), at = static_cast<std::int64_t>(end);
    point(program.insns[end], (*to >= at ? *to + count_slots : *to) - at - 1);
  }
  const auto map = std::ranges::find(program.maps, index, &MapName::insn);
  if (map != program.maps.end()) program.maps.insert(map + 1, {end, map->name});
}

void exchange(Program& program, std::size_t a, std::size_t b) {
  const auto to_a = target(program, a), to_b = target(program, b);
  std::swap(program.insns[a], program.insns[b]);
  if (to_a) point(program.insns[b], *to_a - static_cast<std::int64_t>(b) - 1);
  if (to_b) point(program.insns[a], *to_b - static_cast<std::int64_t>(a) - 1);
}

}  // namespace skep::judge
