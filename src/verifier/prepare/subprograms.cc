// Where subprograms begin, which kernel functions are called, and that each subprogram is closed.
#include <algorithm>

#include "base/errno.h"
#include "btf/btf.h"
#include "spec/helpers.h"
#include "verifier/prepare/code.h"
#include "verifier/prepare/prepare.h"

namespace skep::verifier {
namespace {

using isa::Insn;

constexpr std::size_t kMaxSubprograms = 256, kMaxKfuncs = 256;
constexpr std::string_view kExceptionTag = "exception_callback:";

Checked add_subprogram(Walk& walk, std::int64_t start) {
  if (start < 0 || start >= static_cast<std::int64_t>(walk.input.insns.size()))
    return walk.reject(EINVAL, "call to invalid destination");
  const auto at = std::ranges::lower_bound(walk.subprogs, start, {}, &Subprog::start);
  if (at != walk.subprogs.end() && at->start == start) return {};
  if (walk.subprogs.size() >= kMaxSubprograms) return walk.reject(E2BIG, "too many subprograms");
  walk.subprogs.insert(at, Subprog{})->start = static_cast<std::uint32_t>(start);
  return {};
}

// The kernel functions that are called, each once.
class Kfuncs {
 public:
  explicit Kfuncs(Walk& walk) : walk_(walk) {}

  Checked add(const Insn& insn) {
    const btf::Btf* types = walk_.input.kernel_btf;
    if (types == nullptr)
      return walk_.reject(kNotSupported, "calling kernel function is not supported without CONFIG_DEBUG_INFO_BTF");
    if (walk_.input.license != spec::License::Gpl)
      return walk_.reject(EINVAL, "cannot call kernel function from non-GPL compatible program");
    if (insn.imm == 0 && insn.off == 0) return {};  // is refused when it is reached
    if (insn.off < 0)
      return walk_.reject(EINVAL,
                          "negative offset disallowed for kernel module function call\n"
                          "failed to find BTF for kernel function");
    if (insn.off > 0) return walk_.unsupported("functions of kernel modules");
    const auto id = static_cast<std::uint32_t>(insn.imm);
    if (std::ranges::find(seen_, id) != seen_.end()) return {};
    if (seen_.size() == kMaxKfuncs) return walk_.reject(E2BIG, "too many different kernel function calls");
    if (!types->has(id) || types->type(id).kind() != btf::Kind::Func)
      return walk_.reject(EINVAL, "kernel btf_id {} is not a function", id);
    seen_.push_back(id);
    return {};
  }

 private:
  Walk& walk_;
  std::vector<std::uint32_t> seen_;
};

// ---- The exception callback, which a tag of the main program names

struct Tag {
  unsigned count = 0;
  std::string_view value;
};
Tag find_tag(const btf::Btf& types, std::uint32_t function, std::string_view prefix) {
  Tag tag;
  for (std::uint32_t id = 1; id <= types.count(); ++id) {
    const btf::Type type = types.type(id);
    if (type.kind() != btf::Kind::DeclTag || type.type() != function || type.component() != -1) continue;
    if (!type.name().starts_with(prefix)) continue;
    tag = {tag.count + 1, type.name().substr(prefix.size())};
  }
  return tag;
}

CheckedOf<std::uint32_t> exception_start(Walk& walk, std::string_view name) {
  const auto id = walk.input.btf->find(name, btf::Kind::Func);
  if (!id) return walk.reject(ENOENT, "exception callback '{}' could not be found in BTF", name);
  if (walk.input.btf->type(*id).linkage() != btf::Linkage::Global)
    return walk.reject(EINVAL, "exception callback '{}' must have global linkage", name);
  const auto info = std::ranges::find(walk.funcs, *id, &btf::FuncInfo::type_id);
  if (info == walk.funcs.end()) return walk.reject(EINVAL, "exception callback type id not found in func_info");
  if (info->insn_off == 0) return walk.reject(EINVAL, "invalid exception callback insn_off in func_info: 0");
  return info->insn_off;
}

Checked add_exception_callback(Walk& walk) {
  if (walk.funcs.empty()) return {};
  const Tag tag = find_tag(*walk.input.btf, walk.funcs.front().type_id, kExceptionTag);
  if (tag.count == 0) return {};
  if (tag.count > 1) return walk.reject(EEXIST, "multiple exception callback tags for main subprog");
  TRY(const std::uint32_t start, exception_start(walk, tag.value));
  TRY_VOID(add_subprogram(walk, start));
  walk.subprogs[*walk.subprog_at(start)].is_exception_callback = true;
  return {};
}

void close_subprograms(Walk& walk) {
  for (std::size_t i = 0; i < walk.subprogs.size(); ++i) {
    const bool is_last = i + 1 == walk.subprogs.size();
    walk.subprogs[i].end = is_last ? static_cast<std::uint32_t>(walk.input.insns.size()) : walk.subprogs[i + 1].start;
    if (walk.log.shows_all_paths()) walk.say("func#{} @{}", i, walk.subprogs[i].start);
  }
}

}  // namespace

Checked find_subprograms(Walk& walk) {
  walk.subprogs.assign(1, Subprog{});
  Kfuncs kfuncs(walk);
  const auto insns = walk.input.insns;
  for (walk.index = 0; walk.index < insns.size(); ++walk.index) {
    const Insn& insn = insns[walk.index];
    const bool is_kfunc = code::is_call(insn, code::kKfunc);
    if (!is_kfunc && !code::is_call(insn, code::kLocal) && !code::names_function(insn)) continue;
    if (!walk.bpf_capable)
      return walk.reject(EPERM,
                         "loading/calling other bpf or kernel functions are allowed for CAP_BPF and CAP_SYS_ADMIN");
    TRY_VOID(is_kfunc ? kfuncs.add(insn) : add_subprogram(walk, code::function(insn, walk.index)));
  }
  TRY_VOID(add_exception_callback(walk));
  close_subprograms(walk);
  return {};
}

Checked check_subprograms(Walk& walk) {
  const auto insns = walk.input.insns;
  for (Subprog& subprog : walk.subprogs) {
    for (walk.index = subprog.start; walk.index < subprog.end; ++walk.index) {
      const Insn& insn = insns[walk.index];
      if (code::calls_helper(insn, static_cast<std::int32_t>(spec::HelperId::tail_call)))
        subprog.has_tail_call = subprog.tail_call_reachable = true;
      if (code::loads_packet(insn)) subprog.has_ld_abs = true;
      if (!code::is_jump(insn)) continue;
      const std::int64_t to = code::target(insn, walk.index);
      if (to < subprog.start || to >= subprog.end)
        return walk.reject(EINVAL, "jump out of range from insn {} to {}", walk.index, to);
    }
    walk.index = subprog.end - 1;
    if (insns[walk.index].code != code::kExit && !code::is_goto(insns[walk.index]))
      return walk.reject(EINVAL, "last insn is not an exit or jmp");
  }
  return {};
}

}  // namespace skep::verifier
