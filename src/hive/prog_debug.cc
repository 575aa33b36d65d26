#include <fmt/format.h>

#include "btf/btf.h"
#include "hive/prog_load.h"

namespace skep::hive {
namespace {

constexpr std::uint32_t kMaxRecordBytes = 252;

// Copies record `index` of an array of `stride`-byte records; fields beyond ours must be zero.
template <class Record>
Result<Record> read_record(Loading& loading, std::uint64_t array, std::uint32_t stride, std::uint32_t index,
                           const char* what, std::size_t size_field) {
  Caller& caller = loading.request.caller;
  const std::uint64_t at = array + std::uint64_t{index} * stride;
  std::array<std::byte, kMaxRecordBytes> bytes{};
  if (!caller.copy_in(at, std::span(bytes).first(stride))) return fail(EFAULT, fmt::format("bad address of {}", what));
  for (std::size_t i = sizeof(Record); i < stride; ++i) {
    if (bytes[i] == std::byte{0}) continue;
    answer(loading.request, size_field, static_cast<std::uint32_t>(sizeof(Record)));  // the size that is known here
    return fail(E2BIG, fmt::format("nonzero tailing record in {}", what));
  }
  return skep::load<Record>(bytes.data());
}

bool good_stride(std::uint32_t stride, std::size_t least) noexcept {
  return stride >= least && stride <= kMaxRecordBytes && stride % sizeof(std::uint32_t) == 0;
}

Result<> check_func(const btf::Btf& types, const spec::FuncInfo& func) {
  if (!types.has(func.type_id) || types.type(func.type_id).kind() != btf::Kind::Func)
    return fail(EINVAL, fmt::format("invalid type id {} in func info", func.type_id));
  return {};
}

Result<> read_funcs(Loading& loading) {
  const spec::AttrProgLoad& attr = loading.request.attr.prog_load;
  if (attr.func_info_cnt == 0) return {};
  if (!good_stride(attr.func_info_rec_size, sizeof(spec::FuncInfo)))
    return fail(EINVAL, fmt::format("invalid func info rec size {}", attr.func_info_rec_size));
  const btf::Btf& types = loading.btf->types;
  for (std::uint32_t i = 0; i < attr.func_info_cnt; ++i) {
    TRY(const auto func, read_record<spec::FuncInfo>(loading, attr.func_info, attr.func_info_rec_size, i, "func info",
                                                     offsetof(spec::AttrProgLoad, func_info_rec_size)));
    if (i == 0 && func.insn_off != 0)
      return fail(EINVAL, fmt::format("nonzero insn_off {} for the first func info record", func.insn_off));
    if (i != 0 && func.insn_off <= loading.funcs.back().insn_off)
      return fail(EINVAL, fmt::format("same or smaller insn offset ({}) than previous func info record ({})",
                                      func.insn_off, loading.funcs.back().insn_off));
    TRY_VOID(check_func(types, func));
    if (func.insn_off >= loading.insns.size())
      return fail(EINVAL, "func_info BTF section doesn't match subprog layout in BPF program");
    loading.funcs.push_back(func);
    loading.source.subprograms.push_back({func.insn_off, std::string(types.type(func.type_id).name())});
  }
  return {};
}

Result<> check_line(const Loading& loading, std::uint32_t index, const spec::LineInfo& line) {
  const std::int64_t before = index == 0 ? -1 : std::int64_t{loading.lines.back().insn_off};
  if (line.insn_off <= before || line.insn_off >= loading.insns.size())
    return fail(EINVAL, fmt::format("Invalid line_info[{}].insn_off:{} (prev_offset:{} prog->len:{})", index,
                                    line.insn_off, before < 0 ? 0 : before, loading.insns.size()));
  if (loading.insns[line.insn_off].code == 0)
    return fail(EINVAL, fmt::format("Invalid insn code at line_info[{}].insn_off", index));
  const btf::Btf& types = loading.btf->types;
  if (!types.string(line.line_off) || !types.string(line.file_name_off))
    return fail(EINVAL, fmt::format("Invalid line_info[{}].line_off or .file_name_off", index));
  return {};
}

// Where a function starts, a line must start.
Result<> check_lines_of_funcs(const Loading& loading) {
  std::size_t line = 0;
  for (std::size_t func = 0; func < loading.funcs.size(); ++func) {
    while (line < loading.lines.size() && loading.lines[line].insn_off < loading.funcs[func].insn_off) ++line;
    if (line == loading.lines.size())
      return fail(EINVAL, fmt::format("missing bpf_line_info for {} funcs starting from func#{}",
                                      loading.funcs.size() - func, func));
    if (loading.lines[line].insn_off != loading.funcs[func].insn_off)
      return fail(EINVAL, fmt::format("missing bpf_line_info for func#{}", func));
  }
  return {};
}

Result<> read_lines(Loading& loading) {
  const spec::AttrProgLoad& attr = loading.request.attr.prog_load;
  if (attr.line_info_cnt == 0) return {};
  if (attr.line_info_cnt > INT32_MAX / sizeof(spec::LineInfo)) return fail(EINVAL, "too many line infos");
  if (!good_stride(attr.line_info_rec_size, sizeof(spec::LineInfo)))
    return fail(EINVAL, fmt::format("invalid line info rec size {}", attr.line_info_rec_size));
  const btf::Btf& types = loading.btf->types;
  for (std::uint32_t i = 0; i < attr.line_info_cnt; ++i) {
    TRY(const auto line, read_record<spec::LineInfo>(loading, attr.line_info, attr.line_info_rec_size, i, "line_info",
                                                     offsetof(spec::AttrProgLoad, line_info_rec_size)));
    TRY_VOID(check_line(loading, i, line));
    loading.lines.push_back(line);
    loading.source.lines.push_back({.insn = line.insn_off,
                                    .line = line.line(),
                                    .column = line.column(),
                                    .file = std::string(*types.string(line.file_name_off)),
                                    .text = std::string(*types.string(line.line_off))});
  }
  return check_lines_of_funcs(loading);
}

}  // namespace

Result<> read_debug_info(Loading& loading) {
  const spec::AttrProgLoad& attr = loading.request.attr.prog_load;
  if (attr.func_info_cnt == 0 && attr.line_info_cnt == 0) return {};
  Found<BtfObject> btf = find_btf(loading.request.hive, loading.request.caller, static_cast<int>(attr.prog_btf_fd));
  if (!btf.object) return fail(btf.error, fmt::format("prog_btf_fd {} is no BTF", attr.prog_btf_fd));
  loading.btf = std::move(btf.object);
  TRY_VOID(read_funcs(loading));
  return read_lines(loading);
}

}  // namespace skep::hive
