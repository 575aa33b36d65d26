#include "verifier/explore/passes.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "isa/op.h"

namespace skep::verifier {
namespace {

using isa::Insn;
using isa::Op;

constexpr std::uint8_t kClass = 0x07, kJump = 0x05, kJump32 = 0x06, kCall = 0x85, kExit = 0x95, kLoadImm64 = 0x18;

bool is_jump(const Insn& insn) {
  const bool jump_class = (insn.code & kClass) == kJump || (insn.code & kClass) == kJump32;
  const std::uint8_t operation = insn.code & 0xf0;
  return jump_class && operation != (kCall & 0xf0) && operation != (kExit & 0xf0);
}
bool is_goto(const Insn& insn) { return insn.code == 0x05 || insn.code == 0x06; }
std::int64_t target_of(const Insn& insn, std::size_t index) {
  const std::int64_t distance = insn.code == 0x06 ? insn.imm : insn.off;
  return static_cast<std::int64_t>(index) + distance + 1;
}

// Code bytes that are instructions at all.
constexpr std::array<bool, 256> kKnown = [] {
  std::array<bool, 256> known{};
#define OP(name, code, select, key, form, bits, sub, group, dialect, text) \
  if (isa::Dialects::dialect != isa::Dialects::OnlyRfc) known[code] = true;
#include "isa/opcodes.def"
  return known;
}();

bool calls_or_names_function(const Insn& insn) {
  return (insn.code == kCall && insn.src == 1) || (insn.code == kLoadImm64 && insn.src == 4);
}

void mark(Walk& walk, std::size_t target, bool jumped) {
  if (!jumped) return;
  walk.info[target].is_prune_point = true;
  walk.info[target].is_jump_point = true;
}

// Rules this verifier does not know yet, so that no verdict is given in their absence.
Checked check_circumstances(Walk& walk) {
  const spec::VerifyInput& input = walk.input;
  if (input.insns.empty() || input.insns.size() > isa::kMaxInsns) return walk.reject(E2BIG, "");
  if (!input.rights.bpf || !input.rights.perfmon) return walk.unsupported("programs of unprivileged users");
  return {};
}

}  // namespace

Checked prepare(Walk& walk) {
  TRY_VOID(check_circumstances(walk));
  TRY_VOID(check_subprograms(walk));
  TRY_VOID(check_constants(walk));
  TRY_VOID(check_flow(walk));
  if (walk.rules != Rules::Linux612) compute_liveness(walk);
  return {};
}

Checked check_subprograms(Walk& walk) {
  const auto& insns = walk.input.insns;
  for (walk.index = 0; walk.index < insns.size(); ++walk.index)
    if (calls_or_names_function(insns[walk.index])) return walk.unsupported("subprograms");
  walk.subprogs.push_back({.start = 0, .end = static_cast<std::uint32_t>(insns.size())});
  if (walk.log.shows_all_paths()) walk.log.line("func#0 @0");
  for (walk.index = 0; walk.index < insns.size(); ++walk.index) {
    const Insn& insn = insns[walk.index];
    const bool jumps = is_jump(insn);
    const std::int64_t to = jumps ? target_of(insn, walk.index) : 0;
    if (jumps && (to < 0 || to >= static_cast<std::int64_t>(insns.size())))
      return walk.reject(EINVAL, "jump out of range from insn {} to {}", walk.index, to);
    if (walk.index + 1 == insns.size() && insn.code != kExit && !is_goto(insn))
      return walk.reject(EINVAL, "last insn is not an exit or jmp");
  }
  return {};
}

Checked check_constants(Walk& walk) {
  const auto& insns = walk.input.insns;
  for (walk.index = 0; walk.index < insns.size(); ++walk.index) {
    const Insn& insn = insns[walk.index];
    const std::uint8_t mode = insn.code & 0xe0;
    if ((insn.code & kClass) == 0x01 && ((mode != 0x60 && mode != 0x80) || insn.imm != 0))
      return walk.reject(EINVAL, "BPF_LDX uses reserved fields");
    if (insn.code == kLoadImm64) {
      if (isa::check_second_slot(insns, walk.index) == isa::Illegal::MissingSecondSlot ||
          isa::check_second_slot(insns, walk.index) == isa::Illegal::BadSecondSlot)
        return walk.reject(EINVAL, "invalid bpf_ld_imm64 insn");
      if (insn.src != 0) return walk.unsupported("maps, variables and functions as constants");
      ++walk.index;
      continue;
    }
    if (!kKnown[insn.code]) return walk.reject(EINVAL, "unknown opcode {:02x}", insn.code);
  }
  return {};
}

// Depth first, the taken side of a conditional jump before the other.
Checked check_flow(Walk& walk) {
  enum class Seen : std::uint8_t { No, Open, Done };
  const auto& insns = walk.input.insns;
  std::vector<Seen> seen(insns.size(), Seen::No);
  std::vector<std::pair<std::size_t, unsigned>> stack{{0, 0}};  // instruction, and how many of its edges were followed
  seen[0] = Seen::Open;
  while (!stack.empty()) {
    auto& [index, followed] = stack.back();
    const Insn& insn = insns[index];
    walk.index = index;
    const bool ends = insn.code == kExit;
    const bool jumps = is_jump(insn);
    const unsigned edges = ends ? 0 : jumps && !is_goto(insn) ? 2 : 1;
    if (followed == edges) {
      seen[index] = Seen::Done;
      stack.pop_back();
      continue;
    }
    const bool falls = !jumps || (edges == 2 && followed == 0);
    ++followed;
    const std::size_t width = insn.code == kLoadImm64 ? 2 : 1;
    const std::int64_t to = falls ? static_cast<std::int64_t>(index + width) : target_of(insn, index);
    if (to < 0 || to >= static_cast<std::int64_t>(insns.size()))
      return walk.reject(EINVAL, "jump out of range from insn {} to {}", index, to);
    const auto next = static_cast<std::size_t>(to);
    if (!falls || edges == 1) mark(walk, next, edges != 1 || jumps);
    if (edges == 2) walk.info[index].is_prune_point = true;
    if (seen[next] == Seen::Open && !walk.bpf_capable)
      return walk.reject(EINVAL, "back-edge from insn {} to {}", index, next);
    if (seen[next] != Seen::No) continue;
    seen[next] = Seen::Open;
    stack.push_back({next, 0});
  }
  for (std::size_t i = 0; i < insns.size(); ++i) {
    walk.index = i;
    if (seen[i] != Seen::Done) return walk.reject(EINVAL, "unreachable insn {}", i);
    if (insns[i].code != kLoadImm64) continue;
    if (seen[i + 1] != Seen::No) return walk.reject(EINVAL, "jump into the middle of ldimm64 insn {}", i);
    ++i;
  }
  return {};
}

void compute_liveness(Walk& walk) {
  const auto& insns = walk.input.insns;
  std::vector<isa::RegisterSet> before(insns.size() + 1, 0);
  // Jumps may go back where there is no loop, so that one round may not be enough.
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t i = insns.size(); i-- > 0;) {
      const Op op = isa::decode(insns[i]);
      unsigned after = 0;
      if (!isa::is_terminator(op)) after |= before[std::min(i + isa::slots(op), insns.size())];
      if (is_jump(insns[i])) after |= before[static_cast<std::size_t>(target_of(insns[i], i))];
      const unsigned reads = insns[i].code == kCall ? 0 : isa::reads(op, insns[i]);  // helpers without arguments
      const auto live = static_cast<isa::RegisterSet>((after & ~unsigned{isa::writes(op, insns[i])}) | reads);
      changed |= live != before[i];
      before[i] = live;
    }
  }
  walk.live_before = std::move(before);
}

}  // namespace skep::verifier
