#include "isa/cfg.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "isa/op.h"

namespace skep::isa {
namespace {

// What is known of a slot before there are blocks.
struct Slot {
  Op op = Op::Invalid;
  bool second = false;   // of a 64-bit immediate
  bool leader = false;   // first of a block
  bool subprog = false;  // first of a subprogram
};

class Builder {
 public:
  explicit Builder(std::span<const Insn> program) : program_(program), slots_(program.size()) {}

  Cfg build();

 private:
  void scan();
  void find_subprogs();
  void find_leaders();
  void make_blocks();
  void connect();
  void connect_block(BlockId id);
  void add_edge(BlockId from, std::size_t to, EdgeKind kind);
  void walk(Subprog& subprog);
  void find_unreachable();

  bool inside(std::int64_t target) const { return target >= 0 && static_cast<std::size_t>(target) < slots_.size(); }
  // Where the jump at `index` may go, if it may.
  bool jump_allowed(std::size_t index, std::int64_t target, const Subprog& subprog);
  void flaw(FlawKind kind, std::size_t insn, std::int64_t target) { cfg_.flaws.push_back({kind, insn, target}); }

  // f(index) for the first slot of every instruction.
  template <class F>
  void each(F f) const {
    for (std::size_t i = 0; i < slots_.size(); ++i)
      if (!slots_[i].second) f(i);
  }

  std::span<const Insn> program_;
  std::vector<Slot> slots_;
  Cfg cfg_;
};

Cfg Builder::build() {
  if (program_.empty()) {
    flaw(FlawKind::EmptyProgram, 0, 0);
    return std::move(cfg_);
  }
  scan();
  find_subprogs();
  find_leaders();
  make_blocks();
  connect();
  for (Subprog& subprog : cfg_.subprogs) walk(subprog);
  find_unreachable();
  std::ranges::sort(cfg_.flaws, {}, [](const Flaw& flaw) { return std::pair(flaw.insn, flaw.kind); });
  return std::move(cfg_);
}

void Builder::scan() {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    slots_[i].op = decode(program_[i]);
    if (!is_ld_imm64(slots_[i].op)) continue;
    if (i + 1 < slots_.size())
      slots_[++i].second = true;
    else
      flaw(FlawKind::MissingSecondSlot, i, static_cast<std::int64_t>(i) + 1);
  }
}

void Builder::find_subprogs() {
  slots_[0].subprog = true;
  each([&](std::size_t i) {
    const auto target = subprog_target(slots_[i].op, program_[i], i);
    if (!target) return;
    if (!inside(*target)) return flaw(FlawKind::CallOutOfProgram, i, *target);
    Slot& slot = slots_[static_cast<std::size_t>(*target)];
    if (slot.second) return flaw(FlawKind::CallIntoSecondSlot, i, *target);
    slot.subprog = true;
  });
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (!slots_[i].subprog) continue;
    if (!cfg_.subprogs.empty()) cfg_.subprogs.back().end = i;
    cfg_.subprogs.push_back({i, slots_.size(), 0, {}, {}});
  }
}

bool Builder::jump_allowed(std::size_t index, std::int64_t target, const Subprog& subprog) {
  if (!inside(target)) {
    flaw(FlawKind::JumpOutOfProgram, index, target);
    return false;
  }
  const auto to = static_cast<std::size_t>(target);
  if (slots_[to].second) {
    flaw(FlawKind::JumpIntoSecondSlot, index, target);
    return false;
  }
  if (to >= subprog.begin && to < subprog.end) return true;
  flaw(FlawKind::JumpOutOfSubprog, index, target);
  return false;
}

void Builder::find_leaders() {
  each([&](std::size_t i) {
    Slot& slot = slots_[i];
    slot.leader |= slot.subprog;
    const auto target = jump_target(slot.op, program_[i], i);
    if (target && inside(*target)) slots_[static_cast<std::size_t>(*target)].leader = true;
    if ((target || is_terminator(slot.op)) && i + 1 < slots_.size()) slots_[i + 1].leader = true;
  });
}

void Builder::make_blocks() {
  cfg_.block_of.resize(slots_.size());
  SubprogId subprog = 0;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].leader && !slots_[i].second) {
      while (subprog + 1 < cfg_.subprogs.size() && i >= cfg_.subprogs[subprog + 1].begin) ++subprog;
      if (i == cfg_.subprogs[subprog].begin) cfg_.subprogs[subprog].entry = static_cast<BlockId>(cfg_.blocks.size());
      cfg_.blocks.push_back({i, i, i, subprog, false, {}, {}});
    }
    Block& block = cfg_.blocks.back();
    block.end = i + 1;
    if (!slots_[i].second) block.last = i;
    cfg_.block_of[i] = static_cast<BlockId>(cfg_.blocks.size() - 1);
  }
}

void Builder::add_edge(BlockId from, std::size_t to, EdgeKind kind) {
  const BlockId target = cfg_.block_of[to];
  cfg_.blocks[from].successors.push_back({target, kind});
  auto& predecessors = cfg_.blocks[target].predecessors;
  if (predecessors.empty() || predecessors.back() != from) predecessors.push_back(from);
}

void Builder::connect_block(BlockId id) {
  const std::size_t end = cfg_.blocks[id].end, last = cfg_.blocks[id].last;
  const Subprog& subprog = cfg_.subprogs[cfg_.blocks[id].subprog];
  const Op op = slots_[last].op;
  if (!is_terminator(op)) {
    if (end < subprog.end)
      add_edge(id, end, EdgeKind::FallThrough);
    else
      flaw(FlawKind::FallsOffEnd, last, static_cast<std::int64_t>(end));
  }
  if (const auto target = jump_target(op, program_[last], last); target && jump_allowed(last, *target, subprog))
    add_edge(id, static_cast<std::size_t>(*target), EdgeKind::Taken);
}

void Builder::connect() {
  for (BlockId id = 0; id < cfg_.blocks.size(); ++id) connect_block(id);
  // Calls come caller by caller, so remembering each callee's last caller finds repetitions.
  std::vector<std::optional<SubprogId>> last_caller(cfg_.subprogs.size());
  each([&](std::size_t i) {
    const auto target = subprog_target(slots_[i].op, program_[i], i);
    if (!target || !inside(*target) || !slots_[static_cast<std::size_t>(*target)].subprog) return;
    const SubprogId caller = cfg_.blocks[cfg_.block_of[i]].subprog;
    const SubprogId callee = cfg_.blocks[cfg_.block_of[static_cast<std::size_t>(*target)]].subprog;
    if (std::exchange(last_caller[callee], caller) != caller) cfg_.subprogs[caller].callees.push_back(callee);
  });
}

// Depth first from the entry, without recursion; each stack entry is a block and the successor to try next.
void Builder::walk(Subprog& subprog) {
  std::vector<std::pair<BlockId, std::size_t>> stack{{subprog.entry, 0}};
  cfg_.blocks[subprog.entry].reachable = true;
  auto& order = subprog.reverse_post_order;
  while (!stack.empty()) {
    auto& [id, next] = stack.back();
    if (next == cfg_.blocks[id].successors.size()) {
      order.push_back(id);
      stack.pop_back();
      continue;
    }
    Block& to = cfg_.blocks[cfg_.blocks[id].successors[next].to];
    const BlockId to_id = cfg_.blocks[id].successors[next++].to;
    if (!std::exchange(to.reachable, true)) stack.emplace_back(to_id, 0);
  }
  std::ranges::reverse(order);
}

void Builder::find_unreachable() {
  for (std::size_t i = 0; i < cfg_.blocks.size(); ++i) {
    if (cfg_.blocks[i].reachable) continue;
    const std::size_t first = i;
    while (i + 1 < cfg_.blocks.size() && !cfg_.blocks[i + 1].reachable) ++i;
    flaw(FlawKind::Unreachable, cfg_.blocks[first].begin, static_cast<std::int64_t>(cfg_.blocks[i].end));
  }
}

}  // namespace

std::string_view text(FlawKind kind) noexcept {
  static constexpr std::string_view kTexts[] = {
#define FLAW(name, text) text,
#include "isa/flaw.def"
  };
  return kTexts[std::to_underlying(kind)];
}

std::string describe(const Flaw& flaw) {
  if (flaw.kind == FlawKind::EmptyProgram) return std::string(text(flaw.kind));
  const char* const to = flaw.kind == FlawKind::Unreachable ? "up to" : "to";
  return fmt::format("insn {}: {}, {} {}", flaw.insn, text(flaw.kind), to, flaw.target);
}

const Subprog* Cfg::subprog_at(std::size_t insn) const noexcept {
  const auto found = std::ranges::lower_bound(subprogs, insn, {}, &Subprog::begin);
  return found != subprogs.end() && found->begin == insn ? &*found : nullptr;
}

Cfg make_cfg(std::span<const Insn> program) { return Builder(program).build(); }

}  // namespace skep::isa
