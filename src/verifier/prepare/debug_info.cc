// func_info and line_info: what they say by themselves, and against the subprograms.
#include "btf/btf.h"
#include "btf/ext.h"
#include "verifier/prepare/prepare.h"

namespace skep::verifier {
namespace {

// Integers of at most 8 bytes and enumerations.
bool is_scalar(const btf::Btf& types, std::uint32_t id) {
  const btf::Type type = types.type(types.resolve(id));
  switch (type.kind()) {
    case btf::Kind::Enum:
    case btf::Kind::Enum64: return true;
    case btf::Kind::Int: return type.size() <= sizeof(std::uint64_t);
    default: return false;
  }
}

// Without BTF nobody says that what such a function returns is a number.
Checked check_abnormal_returns(Walk& walk) {
  for (std::size_t i = 1; i < walk.subprogs.size(); ++i) {
    walk.index = walk.subprogs[i].start;
    if (walk.subprogs[i].has_ld_abs) return walk.reject(EINVAL, "LD_ABS is not allowed in subprogs without BTF");
    if (walk.subprogs[i].has_tail_call) return walk.reject(EINVAL, "tail_call is not allowed in subprogs without BTF");
  }
  return {};
}

std::vector<std::uint32_t> starts(const Walk& walk) {
  std::vector<std::uint32_t> starts;
  starts.reserve(walk.subprogs.size());
  for (const Subprog& subprog : walk.subprogs) starts.push_back(subprog.start);
  return starts;
}

std::unexpected<Rejected> reject(const Walk& walk, const Error& error) {
  return walk.reject(error.code, "{}", error.message);
}

Checked take_functions(Walk& walk) {
  const btf::Btf& types = *walk.input.btf;
  for (std::size_t i = 0; i < walk.funcs.size(); ++i) {
    Subprog& subprog = walk.subprogs[i];
    const btf::Type function = types.type(walk.funcs[i].type_id);
    subprog.name = function.name();
    subprog.is_global = function.linkage() == btf::Linkage::Global;
    if (i == 0 || is_scalar(types, types.type(function.type()).type())) continue;
    walk.index = subprog.start;
    if (subprog.has_ld_abs) return walk.reject(EINVAL, "LD_ABS is only allowed in functions that return 'int'.");
    if (subprog.has_tail_call) return walk.reject(EINVAL, "tail_call is only allowed in functions that return 'int'.");
  }
  return {};
}

Checked match_lines(Walk& walk) {
  auto lines = btf::parse_line_info(*walk.input.btf, walk.input.line_info, std::as_bytes(walk.input.insns));
  if (!lines) return reject(walk, lines.error());
  if (const auto matched = btf::match_line_info(*lines, starts(walk)); !matched) return reject(walk, matched.error());
  walk.lines = *std::move(lines);
  return {};
}

}  // namespace

Checked read_functions(Walk& walk) {
  walk.index = 0;
  if (walk.input.func_info.count == 0) return {};
  auto funcs = btf::parse_func_info(*walk.input.btf, walk.input.func_info);
  if (!funcs) return reject(walk, funcs.error());
  walk.funcs = *std::move(funcs);
  return {};
}

Checked match_functions(Walk& walk) {
  walk.index = 0;
  if (walk.input.func_info.count == 0) {
    TRY_VOID(check_abnormal_returns(walk));
  } else {
    if (const auto matched = btf::match_func_info(walk.funcs, starts(walk)); !matched)
      return reject(walk, matched.error());
    TRY_VOID(take_functions(walk));
  }
  return walk.input.line_info.count == 0 ? Checked{} : match_lines(walk);
}

}  // namespace skep::verifier
