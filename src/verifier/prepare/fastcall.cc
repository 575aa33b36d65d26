// Calls that clobber few registers, and the stores and loads around them that keep the others.
//
// A compiler that knows nothing of the callee saves what it needs of r1 to r5 in the lowest slots of its stack. Where
// the callee leaves these registers alone, the saving can go; until then nobody else may touch these slots.
#include <algorithm>
#include <bit>

#include "spec/helper_access.h"
#include "spec/helpers.h"
#include "spec/kfuncs.h"
#include "verifier/prepare/callee.h"
#include "verifier/prepare/code.h"
#include "verifier/prepare/prepare.h"

namespace skep::verifier {
namespace {

using isa::Insn;

constexpr unsigned kFramePointer = 10;
constexpr std::uint32_t kCallerSaved = 0x3f;
constexpr std::int32_t kSlot = 8;
constexpr std::size_t kMaxPairs = 6;

struct Clobbers {
  std::uint32_t registers = kCallerSaved;
  bool leaves_the_rest = false;  // what is called really leaves the others alone
};

constexpr std::uint32_t arguments(std::size_t count) { return ((1U << count) - 1) << 1; }

Clobbers of_helper(const Walk& walk, const Insn& insn) {
  const auto* helper = spec::find_helper(static_cast<std::uint32_t>(insn.imm));
  if (helper == nullptr || !spec::helper_allowed(walk.type, walk.attach, helper->id, walk.input.rights)) return {};
  const spec::Helper& row = spec::signature(walk.type, helper->id);
  const std::uint32_t result = spec::info(row.result).base == spec::ResultBase::Void ? 0 : 1;
  return {result | arguments(row.arg_count()), row.is(spec::HelperTrait::Fastcall)};
}

Clobbers of_kfunc(const Walk& walk, const Insn& insn) {
  const std::string_view name = kfunc_name(walk, insn);
  if (name.empty()) return {};
  const btf::Btf& types = *walk.input.kernel_btf;
  const btf::Type proto = types.type(types.type(static_cast<std::uint32_t>(insn.imm)).type());
  const std::uint32_t result = proto.type() == 0 ? 0 : 1;
  const std::size_t count = std::min<std::size_t>(proto.vlen(), 5);
  const spec::Kfunc* kfunc = spec::find_kfunc(name);
  return {result | arguments(count), kfunc != nullptr && kfunc->is(spec::KfuncTrait::Fastcall)};
}

bool is_spill(const Insn& insn) { return insn.code == code::kSpill && insn.dst == kFramePointer; }
bool is_fill(const Insn& insn) { return insn.code == code::kFill && insn.src == kFramePointer; }

std::int32_t lowest_spill(const Walk& walk, const Subprog& subprog) {
  std::int32_t lowest = 0;
  for (std::size_t i = subprog.start; i < subprog.end; ++i)
    if (is_spill(walk.input.insns[i])) lowest = std::min<std::int32_t>(lowest, walk.input.insns[i].off);
  return lowest;
}

// Pairs around the call at `at`, of the slot at `lowest` and those above, from the inside out.
std::size_t mark_pairs(Walk& walk, std::size_t at, std::uint32_t kept, std::int32_t lowest) {
  const auto insns = walk.input.insns;
  std::size_t pairs = 0;
  for (std::size_t i = 1; i <= kMaxPairs && i <= at && at + i < insns.size(); ++i) {
    const Insn &spill = insns[at - i], &fill = insns[at + i];
    const std::int32_t slot = lowest + static_cast<std::int32_t>(i - 1) * kSlot;
    if (!is_spill(spill) || !is_fill(fill) || spill.src != fill.dst) break;
    if ((kept >> spill.src & 1) == 0 || spill.off != slot || fill.off != slot) break;
    kept &= ~(1U << spill.src);
    walk.info[at - i].in_fastcall_pattern = walk.info[at + i].in_fastcall_pattern = true;
    pairs = i;
  }
  return pairs;
}

void mark_call(Walk& walk, Subprog& subprog, std::size_t at, std::int32_t lowest) {
  const Insn& insn = walk.input.insns[at];
  const Clobbers clobbers = code::is_call(insn, code::kHelper)  ? of_helper(walk, insn)
                            : code::is_call(insn, code::kKfunc) ? of_kfunc(walk, insn)
                                                                : Clobbers{};
  if (clobbers.registers == kCallerSaved) return;
  const std::size_t pairs = mark_pairs(walk, at, kCallerSaved & ~clobbers.registers, lowest);
  if (pairs == 0) return;
  const auto end = static_cast<std::uint32_t>(std::max(0, -(lowest + static_cast<std::int32_t>(pairs) * kSlot)));
  subprog.fastcall_stack_offset = std::min(subprog.fastcall_stack_offset, end);
  if (clobbers.leaves_the_rest)
    walk.info[at].fastcall_spills = static_cast<std::uint8_t>(pairs);
  else
    subprog.keeps_fastcall_stack = true;
}

}  // namespace

void mark_fastcalls(Walk& walk) {
  for (Subprog& subprog : walk.subprogs) {
    const std::int32_t lowest = lowest_spill(walk, subprog);
    for (std::size_t i = subprog.start; i < subprog.end; ++i)
      if (walk.input.insns[i].code == code::kCall) mark_call(walk, subprog, i, lowest);
  }
}

}  // namespace skep::verifier
