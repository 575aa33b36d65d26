// Comparisons of one register with constants, one after the other or as a tree: what compilers make of a switch.
//
// A group begins at a comparison and goes on at its way on and at its target, where those compare the same register
// and are come to from nowhere else. Its constants cut the register's values into ranges, each of which leads to one
// instruction outside. Where narrow ranges lie side by side, a table says where each of their values leads.
// Cost: n log n in a group's comparisons, of which there are no more than kMostComparisons.
#include <algorithm>
#include <bit>
#include <limits>
#include <utility>

#include "jit/x64/survey.h"

namespace skep::jit::x64 {
namespace {

using isa::Form;
using isa::JumpOp;
using isa::Op;
using Range = CompareChain::Range;
using Part = CompareChain::Part;

constexpr std::size_t kFewestNeighbours = 2;  // of a program: where there are fewer, nothing is looked for
constexpr std::size_t kMostComparisons = 512, kUsual = 32;
constexpr std::size_t kFewestInTable = 4;             // ranges
constexpr std::uint64_t kWidestInTable = 32;          // values of one range that are given an entry each
constexpr std::uint64_t kLargestTable = 1024;         // entries
constexpr std::uint64_t kMostEntries = 64 * 1024;     // of a program: its code must not grow out of proportion
constexpr std::size_t kTableCost = 6, kStepCost = 2;  // in comparisons and jumps as they stand in the program
constexpr std::uint32_t kNowhere = std::numeric_limits<std::uint32_t>::max();

bool is_signed(JumpOp op) { return op == JumpOp::Sgt || op == JumpOp::Sge || op == JumpOp::Slt || op == JumpOp::Sle; }
bool is_equality(JumpOp op) { return op == JumpOp::Eq || op == JumpOp::Ne; }
bool is_greater(JumpOp op) { return op == JumpOp::Gt || op == JumpOp::Ge || op == JumpOp::Sgt || op == JumpOp::Sge; }
// Whether what is equal goes with what is greater.
bool cuts_below(JumpOp op) { return op == JumpOp::Ge || op == JumpOp::Sge || op == JumpOp::Lt || op == JumpOp::Slt; }

class Finder {
 public:
  Finder(const exec::Image& image, Tables tables, Survey& survey)
      : image_(image), tables_(tables), survey_(survey), group_(survey.ops.size()) {
    comparisons_.reserve(kUsual);
    open_.reserve(kUsual);
    ends_.reserve(kUsual);
    visits_.reserve(kUsual);
  }

  void find() {
    for (const Function& function : survey_.functions)
      for (std::uint32_t slot = function.start; slot < function.end; ++slot) {
        if (group_[slot] != 0 || !compares(slot)) continue;
        function_ = &function;
        look_at(slot);
      }
  }

 private:
  // An edge to `slot`: by a jump, or because it comes next.
  struct Edge {
    std::uint32_t slot;
    bool jumps;
  };
  // A comparison of the group, and which it is on the way from the first.
  struct Open {
    std::uint32_t slot;
    std::size_t depth;
  };
  // Ranges from `first` to before `end` come to it, after `depth` comparisons.
  struct Visit {
    Edge edge;
    std::size_t first, end, depth;
  };

  bool compares(std::uint32_t slot) const {
    const Op op = survey_.ops[slot];
    return isa::form(op) == Form::JumpImm && isa::jump_op(op) != JumpOp::Set &&
           !survey_.at(slot, Survey::kLeftOut | Survey::kAlways);
  }
  Edge taken(std::uint32_t slot) const {
    return {static_cast<std::uint32_t>(*isa::jump_target(survey_.ops[slot], image_.insns[slot], slot)), true};
  }
  static Edge next(std::uint32_t slot) { return {slot + 1, false}; }
  bool is_within(std::uint32_t slot) const { return slot >= function_->start && slot < function_->end; }

  // Whether control comes to the edge's end by this edge only.
  bool is_only_way(Edge edge) const {
    if (survey_.at(edge.slot, Survey::kEntry)) return false;
    if (!edge.jumps) return !survey_.at(edge.slot, Survey::kTarget);
    return !survey_.at(edge.slot, Survey::kTargets) && survey_.at(edge.slot - 1, Survey::kFirst) &&
           isa::is_terminator(survey_.ops[edge.slot - 1]);
  }

  void look_at(std::uint32_t root) {
    if (!collect(root) || deepest_ <= kTableCost) return;  // nothing could be better
    cut();
    follow();
    join();
    divide();
    if (is_better()) accept();
  }

  // ---- The group, in any order

  bool collect(std::uint32_t root) {
    chain_ = {.slot = root,
              .reg = image_.insns[root].dst,
              .bits = static_cast<std::uint8_t>(isa::bits(survey_.ops[root])),
              .is_signed = false,
              .ranges = {},
              .parts = {}};
    knows_sign_ = false;
    deepest_ = 0;
    comparisons_.clear();
    open_.assign(1, {root, 1});
    take(root);
    while (!open_.empty()) {
      const auto [slot, depth] = open_.back();
      open_.pop_back();
      comparisons_.push_back(slot);
      deepest_ = std::max(deepest_, depth);
      for (const Edge edge : {taken(slot), next(slot)}) {
        if (!is_within(edge.slot)) return false;
        if (edge.slot <= slot || !belongs(edge)) continue;
        open_.push_back({edge.slot, depth + 1});
        take(edge.slot);
      }
    }
    return true;
  }
  void take(std::uint32_t slot) {
    group_[slot] = chain_.slot + 1;
    const JumpOp op = isa::jump_op(survey_.ops[slot]);
    if (is_equality(op)) return;
    knows_sign_ = true;
    chain_.is_signed = is_signed(op);
  }
  bool belongs(Edge edge) const {
    if (!compares(edge.slot) || group_[edge.slot] != 0 || comparisons_.size() + open_.size() >= kMostComparisons)
      return false;
    const Op op = survey_.ops[edge.slot];
    if (image_.insns[edge.slot].dst != chain_.reg || isa::bits(op) != chain_.bits || !is_only_way(edge)) return false;
    return is_equality(isa::jump_op(op)) || !knows_sign_ || is_signed(isa::jump_op(op)) == chain_.is_signed;
  }

  // ---- Where values lead

  // A number as it stands in the order of the comparisons.
  std::uint64_t key_of(std::uint32_t slot) const { return chain_.key(image_.insns[slot].imm); }

  // The places between ranges.
  void cut() {
    cuts_.reserve(2 * comparisons_.size() + 1);
    cuts_.assign(1, 0);
    for (const std::uint32_t slot : comparisons_) {
      const JumpOp op = isa::jump_op(survey_.ops[slot]);
      const std::uint64_t key = key_of(slot);
      if (is_equality(op) || cuts_below(op)) cuts_.push_back(key);
      if ((is_equality(op) || !cuts_below(op)) && key != chain_.last_key()) cuts_.push_back(key + 1);
    }
    std::ranges::sort(cuts_);
    cuts_.erase(std::ranges::unique(cuts_).begin(), cuts_.end());
  }
  std::size_t range_from(std::uint64_t key) const {
    return static_cast<std::size_t>(std::ranges::lower_bound(cuts_, key) - cuts_.begin());
  }

  // Down from the first comparison with all ranges. A single value goes before the ranges it is among: when those
  // arrive, what has been led somewhere already is not meant any more.
  void follow() {
    leads_to_.assign(cuts_.size(), kNowhere);
    cost_ = 0;
    ends_.clear();
    visits_.assign(1, {{chain_.slot, false}, 0, cuts_.size(), 0});
    while (!visits_.empty()) {
      const Visit visit = visits_.back();
      visits_.pop_back();
      if (visit.first >= visit.end) continue;
      if (group_[visit.edge.slot] == chain_.slot + 1)
        compare(visit);
      else
        arrive(visit);
    }
  }
  void compare(const Visit& visit) {
    const std::uint32_t slot = visit.edge.slot;
    const JumpOp op = isa::jump_op(survey_.ops[slot]);
    const std::size_t depth = visit.depth + 1;
    const std::uint64_t key = key_of(slot);
    if (is_equality(op)) {
      const Edge equal = op == JumpOp::Eq ? taken(slot) : next(slot),
                 other = op == JumpOp::Eq ? next(slot) : taken(slot);
      visits_.push_back({other, visit.first, visit.end, depth});
      const std::size_t range = range_from(key);
      if (range >= visit.first && range < visit.end) visits_.push_back({equal, range, range + 1, depth});
      return;
    }
    const Edge above = is_greater(op) ? taken(slot) : next(slot), below = is_greater(op) ? next(slot) : taken(slot);
    std::size_t middle = cuts_.size();
    if (cuts_below(op))
      middle = range_from(key);
    else if (key != chain_.last_key())
      middle = range_from(key + 1);
    visits_.push_back({above, std::max(visit.first, middle), visit.end, depth});
    visits_.push_back({below, visit.first, std::min(visit.end, middle), depth});
  }
  // Outside the group; a jump from there is made at once.
  void arrive(const Visit& visit) {
    std::uint32_t target = visit.edge.slot;
    const Form form = isa::form(survey_.ops[target]);
    if ((form == Form::Goto || form == Form::GotoLong) && is_within(taken(target).slot)) {
      if (is_only_way(visit.edge)) ends_.push_back(target);
      target = taken(target).slot;
    }
    for (std::size_t i = visit.first; i < visit.end; ++i) {
      if (leads_to_[i] != kNowhere) continue;
      leads_to_[i] = target;
      cost_ += visit.depth;
    }
  }
  void join() {
    chain_.ranges.reserve(cuts_.size());
    for (std::size_t i = 0; i < cuts_.size(); ++i)
      if (i == 0 || leads_to_[i] != leads_to_[i - 1]) chain_.ranges.push_back({cuts_[i], leads_to_[i]});
  }

  // ---- Tables

  void divide() {
    std::uint64_t entries = 0;
    for (std::uint32_t i = 0; i < chain_.ranges.size();) {
      const std::uint32_t end = tables_ == Tables::Yes ? end_of_table(i) : i;
      if (end - i < kFewestInTable) {
        chain_.parts.push_back({i, i + 1});
        ++i;
        continue;
      }
      chain_.parts.push_back({i, end});
      entries += chain_.values_of(chain_.parts.back());
      i = end;
    }
    entries_ = entries;
  }
  // Behind the ranges from `first` on that go into one table.
  std::uint32_t end_of_table(std::uint32_t first) const {
    std::uint32_t end = first;
    const std::int64_t base = chain_.number(chain_.ranges[first].first);
    if (base <= std::numeric_limits<std::int32_t>::min() || base > std::numeric_limits<std::int32_t>::max()) return end;
    while (end < chain_.ranges.size() && chain_.last_of(end) - chain_.ranges[end].first < kWidestInTable &&
           chain_.last_of(end) - chain_.ranges[first].first < kLargestTable)
      ++end;
    return end;
  }

  // Against what all ranges cost on average as it stands, none being known to be met more often. A search must be much
  // better: it cannot know which values its author put first.
  bool is_better() const {
    if (entries_ + used_entries_ > kMostEntries) return false;
    const auto steps = static_cast<std::size_t>(std::bit_width(chain_.parts.size() / 2 | 1U)) - 1;
    const bool has_tables = entries_ != 0;
    const std::size_t better = kStepCost * steps + (has_tables ? kTableCost : 0);
    return cost_ > better * cuts_.size() * (has_tables ? 1 : 2);
  }

  void accept() {
    used_entries_ += entries_;
    for (const std::uint32_t slot : comparisons_) survey_.flags[slot] |= Survey::kChained;
    for (const std::uint32_t slot : ends_) survey_.flags[slot] |= Survey::kChained;
    survey_.chains.push_back(std::move(chain_));
  }

  const exec::Image& image_;
  Tables tables_;
  Survey& survey_;
  const Function* function_ = nullptr;
  std::vector<std::uint32_t> group_;  // by slot: the first comparison of the group it was put into, plus 1; or 0
  std::uint64_t used_entries_ = 0;
  // of the group that is looked at
  CompareChain chain_;
  bool knows_sign_ = false;
  std::vector<std::uint32_t> comparisons_;
  std::vector<Open> open_;
  std::size_t deepest_ = 0;  // comparisons one after the other
  std::vector<std::uint64_t> cuts_;
  std::vector<std::uint32_t> leads_to_;  // by range
  std::vector<std::uint32_t> ends_;      // jumps behind the group that nobody else comes to
  std::vector<Visit> visits_;
  std::size_t cost_ = 0;  // of all ranges
  std::uint64_t entries_ = 0;
};

}  // namespace

void find_compare_chains(const exec::Image& image, Tables tables, Survey& survey) {
  if (survey.neighbours >= kFewestNeighbours) Finder(image, tables, survey).find();
}

}  // namespace skep::jit::x64
