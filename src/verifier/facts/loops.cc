#include "verifier/facts/loops.h"

#include <algorithm>

#include "spec/helpers.h"

namespace skep::verifier {
namespace {

using isa::Insn;
using isa::Op;

constexpr unsigned kFramePointer = 10;

struct Edge {
  std::size_t to;
  std::size_t from;
  friend auto operator<=>(const Edge&, const Edge&) = default;
};

// Slots that a store of `bytes` bytes at `offset` from the frame pointer touches.
std::uint64_t slots_at(std::int32_t offset, unsigned bytes) {
  std::uint64_t slots = 0;
  for (std::int32_t at = offset; at < offset + static_cast<std::int32_t>(bytes); ++at)
    if (at < 0 && at >= -static_cast<std::int32_t>(isa::kStackBytes)) slots |= std::uint64_t{1} << ((-at - 1) / 8);
  return slots;
}

// A call may write the stack, and if it moves the packet, it changes what a register means that it does not touch.
Changed changed_by_call(Op op, const Insn& insn) {
  using spec::HelperTrait;
  const auto* helper = op == Op::CallHelper ? spec::find_helper(static_cast<std::uint32_t>(insn.imm)) : nullptr;
  const bool leaves_packet =
      helper != nullptr && !helper->is(HelperTrait::MovesPacket) && !helper->is(HelperTrait::Calls);
  return leaves_packet ? Changed{isa::writes(op, insn), ~std::uint64_t{0}} : Changed::all();
}

Changed changed_by(Op op, const Insn& insn) {
  if (isa::is_call(op)) return changed_by_call(op, insn);
  Changed changed{isa::writes(op, insn), 0};
  if (isa::writes_memory(op))
    changed.slots = insn.dst == kFramePointer ? slots_at(insn.off, isa::access_bytes(op)) : ~std::uint64_t{0};
  return changed;
}

class LoopFinder {
 public:
  LoopFinder(std::span<const Insn> insns, const Blocks& blocks) : insns_(insns), blocks_(blocks) {
    for (std::size_t i = 0; i < insns.size(); ++i) {
      const Op op = blocks.op(i);
      if (const auto target = isa::jump_target(op, insns[i], i))
        edges_.push_back({static_cast<std::size_t>(*target), i});
      else if (const auto callee = isa::subprog_target(op, insns[i], i))
        entries_.push_back(static_cast<std::size_t>(*callee));
    }
    std::ranges::sort(edges_);
    std::ranges::sort(entries_);
  }

  Changed changed(FlowBlock head) const {
    const std::size_t begin = blocks_.begin(head), end = end_of(begin);
    if (!is_entered_by_head(begin, end)) return Changed::all();
    Changed all;
    for (std::size_t i = begin; i <= end; ++i) {
      if (blocks_.is_second_slot(i)) continue;
      const Changed one = changed_by(blocks_.op(i), insns_[i]);
      all.regs |= one.regs;
      all.slots |= one.slots;
    }
    return all;
  }

 private:
  // Its last instruction.
  std::size_t end_of(std::size_t begin) const {
    std::size_t end = begin;
    for (auto edge = std::ranges::lower_bound(edges_, Edge{begin, 0}); edge != edges_.end() && edge->to <= end; ++edge)
      end = std::max(end, edge->from);
    return end;
  }
  bool is_entered_by_head(std::size_t begin, std::size_t end) const {
    const auto entry = std::ranges::lower_bound(entries_, begin);
    if (entry != entries_.end() && *entry <= end) return false;
    const auto first = std::ranges::lower_bound(edges_, Edge{begin + 1, 0});
    const auto last = std::ranges::lower_bound(edges_, Edge{end + 1, 0});
    return std::all_of(first, last, [&](const Edge& edge) { return edge.from >= begin && edge.from <= end; });
  }

  std::span<const Insn> insns_;
  const Blocks& blocks_;
  std::vector<Edge> edges_;           // of jumps, sorted
  std::vector<std::size_t> entries_;  // of functions that are called or named, sorted
};

}  // namespace

std::vector<Changed> changed_by_loops(std::span<const Insn> insns, const Blocks& blocks) {
  std::vector<Changed> changed(blocks.size(), Changed::all());
  const LoopFinder finder(insns, blocks);
  for (FlowBlock block = 0; block < blocks.size(); ++block)
    if (blocks.is_loop_head(block)) changed[block] = finder.changed(block);
  return changed;
}

}  // namespace skep::verifier
