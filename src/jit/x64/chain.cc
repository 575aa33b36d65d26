// Chains of comparisons (compare_chains.cc), written at the first of them: a search by halves, whose steps tell apart
// less, equal and greater by one comparison, and jump tables where it ends. What the chain consisted of is not written.
#include "jit/x64/compiler.h"

namespace skep::jit::x64 {
namespace {

constexpr Reg kIndex = kScratch2, kTable = kScratch;

Width width_of(const CompareChain& chain) { return x64::width_of(unsigned{chain.bits}); }
bool is_one_value(const CompareChain& chain, CompareChain::Part part) {
  return !part.is_table() && chain.last_of(part.first) == chain.ranges[part.first].first;
}

}  // namespace

std::uint32_t Compiler::write_chained(const At& at) {
  if (const CompareChain* chain = survey_.chain_at(at.slot); chain != nullptr) choose(*chain, 0, chain->parts.size());
  return 1;
}

// Of a part that is no table: where its values lead.
Label Compiler::label_of(const CompareChain& chain, CompareChain::Part part) const {
  return label_of(chain.ranges[part.first].target);
}

void Compiler::compare(const CompareChain& chain, std::uint64_t key) {
  const auto number = static_cast<std::int32_t>(chain.number(key));
  compare(width_of(chain), isa::JumpOp::Ge, reg(chain.reg), {.is_register = false, .reg = {}, .number = number});
}

// The condition, after a comparison, for values below a part. Parts begin at a number of the program's or behind one.
Condition Compiler::compare_below(const CompareChain& chain, std::size_t part) {
  const std::uint64_t first = chain.ranges[chain.parts[part].first].first;
  const bool fits = fits_s32(chain.number(first));
  compare(chain, fits ? first : first - 1);
  if (chain.is_signed) return fits ? Condition::L : Condition::LE;
  return fits ? Condition::B : Condition::BE;
}

// Goes where a value leads that is known to be in the parts from `first` to before `end`.
void Compiler::choose(const CompareChain& chain, std::size_t first, std::size_t end) {
  a_.reserve();
  const std::vector<CompareChain::Part>& parts = chain.parts;
  if (end - first == 1) {
    if (parts[first].is_table()) return choose_by_table(chain, first, Bounds::Known);
    return a_.jump(label_of(chain, parts[first]));
  }
  std::size_t middle = first + (end - first) / 2;
  if (end - first == 3 && parts[middle].is_table() && !parts[first].is_table() && !parts[middle + 1].is_table())
    return choose_by_table(chain, middle, Bounds::Unknown);
  if (!is_one_value(chain, parts[middle]) && middle + 2 < end) ++middle;
  Condition below{};
  std::size_t above = middle;
  if (is_one_value(chain, parts[middle]) && middle + 1 < end) {
    compare(chain, chain.ranges[parts[middle].first].first);
    a_.jump(Condition::E, label_of(chain, parts[middle]));
    below = chain.is_signed ? Condition::L : Condition::B;
    above = middle + 1;
  } else {
    below = compare_below(chain, middle);
  }
  // What lies below is one part: no place of its own is needed for it.
  if (middle - first == 1 && !parts[first].is_table()) {
    const Label to = label_of(chain, parts[first]);
    const bool same = end - above == 1 && !parts[above].is_table() && label_of(chain, parts[above]).id == to.id;
    if (!same) a_.jump(below, to);
    return choose(chain, above, end);
  }
  const Label lower = a_.label();
  a_.jump(below, lower);
  choose(chain, above, end);
  a_.bind(lower);
  choose(chain, first, middle);
}

// Through the table of a part. With bounds unknown the parts before and behind it are single, and values may be theirs.
void Compiler::choose_by_table(const CompareChain& chain, std::size_t part, Bounds bounds) {
  const std::vector<CompareChain::Part>& parts = chain.parts;
  const Width width = width_of(chain);
  const std::uint64_t first = chain.ranges[parts[part].first].first;
  const auto base = static_cast<std::int32_t>(chain.number(first));
  Reg index = kIndex;
  if (base != 0)
    a_.lea(width, kIndex, Mem{reg(chain.reg), -base});
  else if (width == Width::W32)
    a_.mov(width, kIndex, reg(chain.reg));
  else
    index = reg(chain.reg);
  Label outside{};
  bool same = true;
  if (bounds == Bounds::Unknown) {
    same = label_of(chain, parts[part - 1]).id == label_of(chain, parts[part + 1]).id;
    outside = same ? label_of(chain, parts[part - 1]) : a_.label();
    a_.alu(Alu::Cmp, width, index, static_cast<std::int32_t>(chain.values_of(parts[part]) - 1));
    a_.jump(Condition::A, outside);
  }
  tables_.push_back({a_.label(), chain, parts[part]});
  a_.lea(kTable, tables_.back().label);
  a_.load_signed(Width::W32, kIndex, Indexed{kTable, index, 2, 0});
  a_.alu(Alu::Add, Width::W64, kIndex, kTable);
  a_.notrack();
  a_.jump(kIndex);
  if (same) return;
  a_.bind(outside);
  a_.jump(compare_below(chain, part), label_of(chain, parts[part - 1]));
  a_.jump(label_of(chain, parts[part + 1]));
}

void Compiler::write_tables() {
  a_.reserve();
  if (!tables_.empty()) a_.align();
  for (const TableSite& table : tables_) {
    a_.bind(table.label);
    note_piece(Layout::kTable);
    for (std::uint32_t range = table.part.first; range < table.part.end; ++range) {
      const std::uint64_t values = table.chain.last_of(range) - table.chain.ranges[range].first + 1;
      a_.entries(static_cast<std::uint32_t>(values), label_of(table.chain.ranges[range].target), table.label);
    }
  }
}

}  // namespace skep::jit::x64
