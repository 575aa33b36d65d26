#include "exec/rewriter.h"

#include <fmt/format.h>

#include <limits>

#include "isa/op.h"

namespace skep::exec {
namespace {

using isa::Insn;
using isa::Op;

// Instructions a jump takes when its target is out of reach of 16 bits.
constexpr std::uint32_t kLongConditional = 3;

Insn with_imm(Op op, std::int64_t imm) {
  Insn insn = isa::encode(op);
  insn.imm = static_cast<std::int32_t>(imm);
  return insn;
}

}  // namespace

void Rewriter::replace(std::size_t index, std::span<const Insn> with) {
  replacements_.push_back({index, pieces_.size(), with.size()});
  pieces_.insert(pieces_.end(), with.begin(), with.end());
}

void Rewriter::place() {
  position_.assign(insns_.size() + 1, 0);
  std::uint32_t at = 0;
  auto next = replacements_.begin();
  for (std::size_t i = 0; i < insns_.size(); ++i) {
    position_[i] = at;
    const bool replaced = next != replacements_.end() && next->index == i;
    const bool conditional = long_[i] && isa::is_conditional_jump(isa::decode(insns_[i]));
    at += replaced ? static_cast<std::uint32_t>((next++)->count) : conditional ? kLongConditional : 1;
  }
  position_.back() = at;
}

bool Rewriter::reaches(std::size_t index, std::int64_t target) const {
  const std::int64_t distance = std::int64_t{position_[static_cast<std::size_t>(target)]} - position_[index] - 1;
  return distance >= std::numeric_limits<std::int16_t>::min() && distance <= std::numeric_limits<std::int16_t>::max();
}

// Marks jumps that cannot reach their target any more; true if there was one.
bool Rewriter::lengthen() {
  bool changed = false;
  for (std::size_t i = 0; i < insns_.size(); i += isa::slots(isa::decode(insns_[i]))) {
    const Op op = isa::decode(insns_[i]);
    const auto target = isa::jump_target(op, insns_[i], i);
    if (!target || op == Op::GotoLong || long_[i] || reaches(i, *target)) continue;
    long_[i] = changed = true;
  }
  return changed;
}

Result<std::vector<Insn>> Rewriter::rewritten() {
  long_.assign(insns_.size(), false);
  do {
    place();
  } while (lengthen());
  if (position_.back() > isa::kMaxInsns)
    return fail(E2BIG, fmt::format("lowered, the program has {} instructions, at most {} can run", position_.back(),
                                   isa::kMaxInsns));
  std::vector<Insn> out;
  out.reserve(position_.back());
  auto next = replacements_.begin();
  for (std::size_t i = 0; i < insns_.size(); ++i) {
    if (next == replacements_.end() || next->index != i) {
      copy(i, out);
      if (isa::is_ld_imm64(isa::decode(insns_[i]))) out.push_back(insns_[++i]);
      continue;
    }
    const auto from = pieces_.begin() + static_cast<std::ptrdiff_t>(next->from);
    out.insert(out.end(), from, from + static_cast<std::ptrdiff_t>(next->count));
    ++next;
  }
  return out;
}

void Rewriter::copy(std::size_t index, std::vector<Insn>& out) const {
  Insn insn = insns_[index];
  const Op op = isa::decode(insn);
  if (const auto target = isa::jump_target(op, insn, index)) return copy_jump(index, *target, out);
  if (const auto callee = isa::subprog_target(op, insn, index))
    insn.imm = static_cast<std::int32_t>(position_[static_cast<std::size_t>(*callee)]) -
               static_cast<std::int32_t>(out.size()) - 1;
  out.push_back(insn);
}

void Rewriter::copy_jump(std::size_t index, std::int64_t target, std::vector<Insn>& out) const {
  Insn insn = insns_[index];
  const std::int64_t to = position_[static_cast<std::size_t>(target)];
  const auto distance = [&] { return to - static_cast<std::int64_t>(out.size()) - 1; };
  if (isa::decode(insn) == Op::GotoLong || (long_[index] && isa::decode(insn) == Op::Goto)) {
    out.push_back(with_imm(Op::GotoLong, distance()));
  } else if (long_[index]) {
    insn.off = 1;  // taken: over the goto to the gotol behind it
    out.push_back(insn);
    Insn around = isa::encode(Op::Goto);
    around.off = 1;
    out.push_back(around);
    out.push_back(with_imm(Op::GotoLong, distance()));
  } else {
    insn.off = static_cast<std::int16_t>(distance());
    out.push_back(insn);
  }
}

}  // namespace skep::exec
