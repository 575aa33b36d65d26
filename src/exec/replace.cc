#include "exec/replace.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "exec/structure.h"
#include "isa/op.h"

namespace skep::exec {
namespace {

using isa::Insn;
using isa::Op;

// What is said of single instructions, by their numbers.
constexpr std::array kMarked = {&Source::probed, &Source::arena_accesses};

struct Body {
  std::uint32_t start, end;
  bool has(std::uint32_t insn) const noexcept { return insn >= start && insn < end; }
};

Result<Body> body_of(const Source& target, std::size_t which) {
  if (which >= target.subprograms.size())
    return fail(EINVAL, fmt::format("there is no function {} among {}", which, target.subprograms.size()));
  const std::size_t end = end_of(target.subprograms, which, target.insns.size());
  const Body body{target.subprograms[which].start, static_cast<std::uint32_t>(end)};
  if (body.end - body.start >= 2) return body;
  return fail(EOPNOTSUPP, "a function of one instruction has no room for a call of another one");
}

// What accesses of an arena are of, in all of a program.
Result<spec::MapId> arena_of(const Source& target, const Source& part) {
  if (part.arena == spec::MapId::None || part.arena == target.arena) return target.arena;
  if (target.arena == spec::MapId::None) return part.arena;
  return fail(EOPNOTSUPP, "the function and the one in its place have arenas of their own");
}

// Nothing of the function is left but a call of what begins at `callee`.
void hollow_out(Source& target, const Body& body, std::size_t callee) {
  Insn call = isa::encode(Op::CallLocal);
  call.imm = static_cast<std::int32_t>(callee - body.start - 1);
  std::fill(target.insns.begin() + body.start, target.insns.begin() + body.end, isa::encode(Op::Exit));
  target.insns[body.start] = call;
  std::erase_if(target.lines, [&](const SourceLine& line) { return body.has(line.insn); });
  std::erase_if(target.barriers, [&](const spec::Barrier& barrier) { return body.has(barrier.insn); });
  for (const auto list : kMarked) std::erase_if(target.*list, [&](std::uint32_t insn) { return body.has(insn); });
}

void append(Source& target, const Source& part) {
  const auto at = static_cast<std::uint32_t>(target.insns.size());
  target.insns.insert(target.insns.end(), part.insns.begin(), part.insns.end());
  if (part.subprograms.empty()) target.subprograms.push_back({at, part.name});
  for (Subprogram subprogram : part.subprograms) {
    subprogram.start += at;
    target.subprograms.push_back(std::move(subprogram));
  }
  for (SourceLine line : part.lines) {
    line.insn += at;
    target.lines.push_back(std::move(line));
  }
  for (spec::Barrier barrier : part.barriers) {
    barrier.insn += at;
    target.barriers.push_back(barrier);
  }
  for (const auto list : kMarked)
    for (const std::uint32_t insn : part.*list) (target.*list).push_back(insn + at);
  for (const CalledKfunc& called : part.kfuncs)
    if (std::ranges::find(target.kfuncs, called.btf_id, &CalledKfunc::btf_id) == target.kfuncs.end())
      target.kfuncs.push_back(called);
}

}  // namespace

Result<Source> replace(const Source& target, std::span<const Replacement> parts) {
  Source whole = target;
  whole.facts = nullptr;
  whole.is_deep = true;
  for (const Replacement& part : parts) {
    TRY(whole.arena, arena_of(whole, *part.by));
    TRY(const Body body, body_of(target, part.subprogram));
    hollow_out(whole, body, whole.insns.size());
    append(whole, *part.by);
  }
  return whole;
}

}  // namespace skep::exec
