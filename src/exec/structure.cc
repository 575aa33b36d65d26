#include "exec/structure.h"

#include <fmt/format.h>

#include <algorithm>

#include "isa/op.h"

namespace skep::exec {
namespace {

using isa::Op;

constexpr std::size_t kMaxSubprograms = 256;  // as in Linux

std::unexpected<Error> refuse(std::span<const isa::Insn> insns, std::size_t index, std::string_view why) {
  return std::unexpected(error_at(insns, index, why));
}

isa::Illegal illegal(std::span<const isa::Insn> insns, std::size_t index, Legal legal) {
  const isa::Illegal why = isa::check(insns, index, isa::Dialect::Linux);
  if (why != isa::Illegal::NotInDialect || legal == Legal::Linux) return why;
  return isa::check(insns, index, isa::Dialect::Rfc9669);
}

// Every instruction by itself. `first` tells first slots from second ones.
Result<> check_instructions(const Source& source, Legal legal, std::vector<bool>& first) {
  const auto& insns = source.insns;
  for (std::size_t i = 0; i < insns.size(); i += isa::slots(isa::decode(insns[i]))) {
    first[i] = true;
    if (const isa::Illegal why = illegal(insns, i, legal); why != isa::Illegal::None)
      return refuse(insns, i, isa::text(why));
    switch (isa::decode(insns[i])) {
      case Op::CastAddrSpace:
        if (source.arena == spec::MapId::None) return refuse(insns, i, "there is no arena for addr_space_cast");
        break;
      case Op::LdBtfId: return refuse(insns, i, "there are no kernel variables");
      case Op::LdMapIdx:
      case Op::LdMapIdxValue: return refuse(insns, i, "a map by its index must have been resolved to an id");
      default: break;
    }
  }
  return {};
}

Result<std::vector<Subprogram>> find_subprograms(const Source& source, const std::vector<bool>& first) {
  std::vector<Subprogram> found{{0, source.subprograms.empty() ? source.name : ""}};
  for (const Subprogram& known : source.subprograms) {
    if (known.start >= first.size() || !first[known.start])
      return fail(EINVAL,
                  fmt::format("subprogram \"{}\" starts at {}, where no instruction starts", known.name, known.start));
    found.push_back(known);
  }
  for (std::size_t i = 0; i < first.size(); ++i) {
    if (!first[i]) continue;
    const auto target = isa::subprog_target(isa::decode(source.insns[i]), source.insns[i], i);
    if (!target) continue;
    if (*target < 0 || *target >= static_cast<std::int64_t>(first.size()) || !first[static_cast<std::size_t>(*target)])
      return refuse(source.insns, i, fmt::format("no instruction starts at its target {}", *target));
    found.push_back({static_cast<std::uint32_t>(*target), ""});
  }
  // Of several that start at one place the named one stays.
  std::ranges::sort(found, [](const Subprogram& a, const Subprogram& b) {
    return a.start != b.start ? a.start < b.start : a.name.size() > b.name.size();
  });
  const auto rest = std::ranges::unique(found, {}, &Subprogram::start);
  found.erase(rest.begin(), rest.end());
  if (found.size() > kMaxSubprograms)
    return fail(E2BIG,
                fmt::format("the program has {} subprograms, at most {} can run", found.size(), kMaxSubprograms));
  return found;
}

Result<> check_subprogram(const Source& source, const std::vector<bool>& first, std::size_t start, std::size_t end) {
  const auto& insns = source.insns;
  std::size_t last = start;
  for (std::size_t i = start; i < end; i += isa::slots(isa::decode(insns[i]))) {
    last = i;
    const Op op = isa::decode(insns[i]);
    const auto target = isa::jump_target(op, insns[i], i);
    if (!target) continue;
    if (*target < static_cast<std::int64_t>(start) || *target >= static_cast<std::int64_t>(end))
      return refuse(insns, i, fmt::format("jump out of range from insn {} to {}", i, *target));
    if (!first[static_cast<std::size_t>(*target)])
      return refuse(insns, i, fmt::format("jump into the middle of ldimm64 insn {}", *target - 1));
  }
  if (!isa::is_terminator(isa::decode(insns[last]))) return refuse(insns, last, "last insn is not an exit or jmp");
  return {};
}

}  // namespace

Error error_at(std::span<const isa::Insn> insns, std::size_t index, std::string_view why, int code) {
  const isa::Insn& insn = insns[index];
  const isa::Op op = isa::decode(insn);
  const std::string what = op == Op::Invalid ? fmt::format("code {:02x}", insn.code) : std::string(isa::info(op).name);
  return {code, fmt::format("instruction {} ({}): {}", index, what, why)};
}

Result<std::vector<Subprogram>> check_structure(const Source& source, Legal legal) {
  const std::size_t count = source.insns.size();
  if (count == 0) return fail(EINVAL, "the program has no instructions");
  if (count > isa::kMaxInsns)
    return fail(E2BIG, fmt::format("the program has {} instructions, at most {} can run", count, isa::kMaxInsns));
  std::vector<bool> first(count);
  TRY_VOID(check_instructions(source, legal, first));
  TRY(std::vector<Subprogram> subprograms, find_subprograms(source, first));
  for (std::size_t i = 0; i < subprograms.size(); ++i)
    TRY_VOID(check_subprogram(source, first, subprograms[i].start, end_of(subprograms, i, count)));
  return subprograms;
}

}  // namespace skep::exec
