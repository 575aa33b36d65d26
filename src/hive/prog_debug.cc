#include <fmt/format.h>

#include <algorithm>

#include "btf/btf.h"
#include "hive/prog_load.h"

namespace skep::hive {
namespace {

constexpr std::uint32_t kMaxRecordBytes = 252;

// As many of the records as can be read and make sense: no program has more than instructions.
std::vector<std::byte> copy_records(const Loading& loading, std::uint64_t array, std::uint32_t stride,
                                    std::uint32_t count) {
  if (stride == 0 || stride > kMaxRecordBytes) return {};  // is refused when it is looked at
  const std::size_t most = std::min<std::size_t>(count, loading.insns.size() + 1);
  std::vector<std::byte> bytes(most * stride);
  Caller& caller = loading.request.caller;
  if (caller.copy_in(array, bytes)) return bytes;
  std::size_t read = 0;
  while (read < bytes.size() && caller.copy_in(array + read, std::span(bytes).subspan(read, stride))) read += stride;
  bytes.resize(read);
  return bytes;
}

void name_functions(Loading& loading) {
  const btf::Btf& types = loading.btf->types;
  for (const btf::FuncInfo& func : loading.funcs)
    loading.source.subprograms.push_back({func.insn_off, std::string(types.type(func.type_id).name())});
}

}  // namespace

Result<> read_debug_info(Loading& loading) {
  const spec::AttrProgLoad& attr = loading.request.attr.prog_load;
  if (attr.func_info_cnt == 0 && attr.line_info_cnt == 0) return {};
  Found<BtfObject> btf = find_btf(loading.request.hive, loading.request.caller, static_cast<int>(attr.prog_btf_fd));
  if (!btf.object) return fail(btf.error, fmt::format("prog_btf_fd {} is no BTF", attr.prog_btf_fd));
  loading.btf = std::move(btf.object);
  loading.func_bytes = copy_records(loading, attr.func_info, attr.func_info_rec_size, attr.func_info_cnt);
  loading.line_bytes = copy_records(loading, attr.line_info, attr.line_info_rec_size, attr.line_info_cnt);
  return {};
}

btf::Records func_records(const Loading& loading) {
  const spec::AttrProgLoad& attr = loading.request.attr.prog_load;
  return {loading.func_bytes, attr.func_info_rec_size, attr.func_info_cnt};
}
btf::Records line_records(const Loading& loading) {
  const spec::AttrProgLoad& attr = loading.request.attr.prog_load;
  return {loading.line_bytes, attr.line_info_rec_size, attr.line_info_cnt};
}

Result<> check_debug_info(Loading& loading) {
  if (!loading.btf) return {};
  const btf::Btf& types = loading.btf->types;
  TRY(loading.funcs, btf::parse_func_info(types, func_records(loading)));
  if (!loading.funcs.empty() && loading.funcs.back().insn_off >= loading.insns.size())
    return fail(EINVAL, "func_info BTF section doesn't match subprog layout in BPF program");
  name_functions(loading);
  const auto insns = std::as_bytes(std::span<const isa::Insn>(loading.insns));
  TRY(loading.lines, btf::parse_line_info(types, line_records(loading), insns));
  std::vector<std::uint32_t> starts;
  for (const btf::FuncInfo& func : loading.funcs) starts.push_back(func.insn_off);
  TRY_VOID(btf::match_line_info(loading.lines, starts));
  for (const btf::LineInfo& line : loading.lines) loading.source.lines.push_back(source_line(types, line));
  return {};
}

exec::SourceLine source_line(const btf::Btf& types, const btf::LineInfo& line) {
  return {.insn = line.insn_off,
          .line = line.line(),
          .column = line.column(),
          .file = std::string(types.string(line.file_name_off).value_or("")),
          .text = std::string(types.string(line.line_off).value_or(""))};
}

void tell_record_size(Loading& loading, const Error& error) {
  if (error.code != E2BIG || !error.message.starts_with("nonzero tailing record")) return;
  const bool funcs = error.message.ends_with("func info");
  const std::size_t field =
      funcs ? offsetof(spec::AttrProgLoad, func_info_rec_size) : offsetof(spec::AttrProgLoad, line_info_rec_size);
  const std::size_t known = funcs ? sizeof(btf::FuncInfo) : sizeof(btf::LineInfo);
  answer(loading.request, field, static_cast<std::uint32_t>(known));
}

}  // namespace skep::hive
