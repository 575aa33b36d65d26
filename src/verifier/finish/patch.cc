#include "verifier/finish/patch.h"

#include <algorithm>
#include <limits>

#include "isa/op.h"

namespace skep::verifier {
namespace {

using isa::Insn;
using isa::Op;

std::optional<std::int64_t> target(const Insn& insn, std::size_t index) {
  const Op op = isa::decode(insn);
  if (const auto jump = isa::jump_target(op, insn, index)) return jump;
  return isa::subprog_target(op, insn, index);
}

std::size_t slots(const Insn& insn) { return isa::slots(isa::decode(insn)); }

}  // namespace

void Patch::replace(std::size_t index, std::span<const Insn> with, std::size_t jump) {
  replacements_.push_back({index, pieces_.size(), with.size(), jump});
  pieces_.insert(pieces_.end(), with.begin(), with.end());
}

void Patch::place() {
  position_.assign(insns_.size() + 1, 0);
  std::uint32_t at = 0;
  auto next = replacements_.begin();
  for (std::size_t i = 0; i < insns_.size();) {
    const std::size_t width = slots(insns_[i]);
    const bool replaced = next != replacements_.end() && next->index == i;
    const std::size_t size = replaced ? (next++)->count : width;
    for (std::size_t slot = 0; slot < width && i + slot < insns_.size(); ++slot) position_[i + slot] = at;
    origins_.insert(origins_.end(), size, static_cast<std::uint32_t>(i));
    at += static_cast<std::uint32_t>(size);
    i += width;
  }
  position_.back() = at;
}

bool Patch::retarget(Insn& insn, std::size_t at, std::int64_t old_target) const {
  if (old_target < 0 || old_target >= static_cast<std::int64_t>(position_.size())) return true;
  const auto now = static_cast<std::int64_t>(position_[static_cast<std::size_t>(old_target)]);
  const std::int64_t distance = now - static_cast<std::int64_t>(at) - 1;
  const Op op = isa::decode(insn);
  if (!isa::is_jump(op) || op == Op::GotoLong) {
    insn.imm = static_cast<std::int32_t>(distance);
    return true;
  }
  insn.off = static_cast<std::int16_t>(distance);
  return insn.off == distance;
}

bool Patch::copy(std::size_t index, std::vector<Insn>& out) const {
  const std::size_t at = out.size();
  const std::size_t end = std::min(index + slots(insns_[index]), insns_.size());
  for (std::size_t i = index; i < end; ++i) out.push_back(insns_[i]);
  const auto to = target(insns_[index], index);
  return !to || retarget(out[at], at, *to);
}

std::optional<std::vector<Insn>> Patch::done() {
  place();
  std::vector<Insn> out;
  out.reserve(origins_.size());
  auto next = replacements_.begin();
  for (std::size_t i = 0; i < insns_.size(); i += slots(insns_[i])) {
    if (next == replacements_.end() || next->index != i) {
      if (!copy(i, out)) return std::nullopt;
      continue;
    }
    const auto to = target(insns_[i], i);
    for (std::size_t piece = 0; piece < next->count; ++piece) {
      out.push_back(pieces_[next->from + piece]);
      if (piece == next->jump && to && !retarget(out.back(), out.size() - 1, *to)) return std::nullopt;
    }
    ++next;
  }
  return out;
}

}  // namespace skep::verifier
