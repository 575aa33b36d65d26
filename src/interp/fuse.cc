#include <algorithm>
#include <array>
#include <utility>

#include "interp/code.h"

namespace skep::interp {
namespace {

using isa::Insn;
using isa::Op;

enum class Condition : std::uint8_t { Any, Chained, Loads };

struct Row {
  Op first, second;
  Condition condition;
  Extra both;
};

// In the order of the pairs, for the search below.
constexpr auto kRows = [] {
  std::array rows{
#define FUSION(name, first, second, condition, ...) Row{Op::first, Op::second, Condition::condition, Extra::name},
#include "interp/fusions.def"
  };
  std::ranges::sort(rows, {}, [](const Row& row) { return std::pair(row.first, row.second); });
  return rows;
}();

consteval bool one_row_for_each_pair() {
  for (std::size_t i = 1; i < kRows.size(); ++i)
    if (kRows[i - 1].first == kRows[i].first && kRows[i - 1].second == kRows[i].second) return false;
  return true;
}
static_assert(one_row_for_each_pair());

bool fits(Condition condition, const Insn& first, const Insn& second) noexcept {
  switch (condition) {
    case Condition::Any: return true;
    case Condition::Loads: return second.src == first.dst;
    case Condition::Chained: {
      const bool from_register = isa::form(isa::decode(second)) == isa::Form::AluReg;
      return second.dst == first.dst && !(from_register && second.src == first.dst);
    }
  }
  return false;
}

}  // namespace

std::optional<Extra> fused(const Insn& first, const Insn& second) noexcept {
  const auto key = [](const Row& row) { return std::pair(row.first, row.second); };
  const auto row = std::ranges::lower_bound(kRows, std::pair(isa::decode(first), isa::decode(second)), {}, key);
  if (row == kRows.end() || key(*row) != std::pair(isa::decode(first), isa::decode(second))) return {};
  return fits(row->condition, first, second) ? std::optional(row->both) : std::nullopt;
}

}  // namespace skep::interp
