#include "verifier/facts/blocks.h"

namespace skep::verifier {

using isa::Op;

Blocks::Blocks(const spec::VerifiedProgram& program) : ops_(program.insns.size()), marks_(program.insns.size() + 1) {
  for (const spec::VerifiedFunction& function : program.functions) {
    marks_[function.start] |= kLeader;
    if (function.is_exception_callback) marks_[function.start] |= kTaken;
  }
  mark(program.insns);
  cut(program);
}

void Blocks::mark(std::span<const isa::Insn> insns) {
  marks_[0] |= kLeader;
  for (std::size_t i = 0; i < insns.size(); ++i) {
    const Op op = ops_[i] = isa::decode(insns[i]);
    if (const auto target = isa::jump_target(op, insns[i], i)) {
      const auto to = static_cast<std::size_t>(*target);
      marks_[to] |= to <= i ? kLeader | kBehind : kLeader;
      marks_[i + 1] |= kLeader;
    } else if (isa::is_terminator(op)) {
      marks_[i + 1] |= kLeader;
    } else if (const auto function = isa::subprog_target(op, insns[i], i)) {
      const auto to = static_cast<std::size_t>(*function);
      marks_[to] |= kLeader | (op == Op::CallLocal ? kCalled : kTaken);
      if (op == Op::CallLocal && to <= i) marks_[to] |= kBehind;
    }
    if (isa::is_ld_imm64(op)) ops_[++i] = Op::Invalid;
  }
}

void Blocks::cut(const spec::VerifiedProgram& program) {
  block_at_.resize(program.insns.size());
  for (std::size_t i = 0; i < program.insns.size(); ++i) {
    if ((marks_[i] & kLeader) == 0) continue;
    block_at_[i] = static_cast<FlowBlock>(starts_.size());
    starts_.push_back(static_cast<std::uint32_t>(i));
    loop_head_.push_back((marks_[i] & kBehind) != 0);
    has_backward_edges_ |= (marks_[i] & kBehind) != 0;
  }
  starts_.push_back(static_cast<std::uint32_t>(program.insns.size()));
  for (const spec::VerifiedFunction& function : program.functions) {
    const std::uint8_t marks = marks_[function.start];
    if (function.start != 0 && ((marks & kTaken) != 0 || (marks & kCalled) == 0))
      called_back_.push_back(block_at_[function.start]);
  }
}

}  // namespace skep::verifier
