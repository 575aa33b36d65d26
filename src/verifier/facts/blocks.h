// The basic blocks of a verified program as the facts pass walks them: in program order, with the edges that go
// backward marked, calls of functions among them. isa/cfg.h has the graph for everything else; this one is made on
// every load and holds what the pass asks, in four arrays. Tested by: verifier/facts/blocks_test.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "isa/op.h"
#include "spec/verify.h"

namespace skep::verifier {

using FlowBlock = std::uint32_t;

class Blocks {
 public:
  explicit Blocks(const spec::VerifiedProgram& program);

  std::size_t size() const noexcept { return starts_.size() - 1; }
  std::size_t begin(FlowBlock block) const noexcept { return starts_[block]; }
  std::size_t end(FlowBlock block) const noexcept { return starts_[block + 1]; }
  // The block that begins at `insn`, the target of an edge.
  FlowBlock at(std::size_t insn) const noexcept { return block_at_[insn]; }
  bool is_second_slot(std::size_t insn) const noexcept { return ops_[insn] == isa::Op::Invalid; }
  isa::Op op(std::size_t insn) const noexcept { return ops_[insn]; }
  // Whether some edge or call comes to it from itself or from behind.
  bool is_loop_head(FlowBlock block) const noexcept { return loop_head_[block]; }
  bool has_backward_edges() const noexcept { return has_backward_edges_; }
  // Blocks of functions that are entered otherwise than by a call: the address is taken, or nobody names them.
  std::span<const FlowBlock> called_back() const noexcept { return called_back_; }

 private:
  enum Mark : std::uint8_t { kLeader = 1, kBehind = 2, kCalled = 4, kTaken = 8 };
  void mark(std::span<const isa::Insn> insns);
  void cut(const spec::VerifiedProgram& program);

  std::vector<isa::Op> ops_;
  std::vector<std::uint8_t> marks_;
  std::vector<FlowBlock> block_at_;
  std::vector<std::uint32_t> starts_;
  std::vector<bool> loop_head_;
  std::vector<FlowBlock> called_back_;
  bool has_backward_edges_ = false;
};

}  // namespace skep::verifier
