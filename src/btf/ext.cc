#include "btf/ext.h"

#include <fmt/format.h>

#include <algorithm>

namespace skep::btf {
namespace {

constexpr std::uint32_t kMaxRecordBytes = 252;
constexpr std::size_t kInsnBytes = 8;

template <class T>
bool size_is_valid(const Records& records) {
  return records.record_bytes >= sizeof(T) && records.record_bytes <= kMaxRecordBytes &&
         records.record_bytes % sizeof(std::uint32_t) == 0;
}

// Record i, unless it cannot be read (EFAULT) or says more than T holds (E2BIG).
template <class T>
Result<T> record(const Records& records, std::uint32_t i, std::string_view what) {
  if (records.bytes.size() < (std::size_t{i} + 1) * records.record_bytes) return fail(EFAULT, "");
  const Bytes bytes = records.bytes.subspan(std::size_t{records.record_bytes} * i, records.record_bytes);
  const auto is_zero = [](std::byte b) { return b == std::byte{0}; };
  if (!std::ranges::all_of(bytes.subspan(sizeof(T)), is_zero))
    return fail(E2BIG, fmt::format("nonzero tailing record in {}", what));
  return load<T>(bytes.data());
}

// The last element that starts at or before `insn`; null when there is none.
template <class T>
const T* last_before(std::span<const T> infos, std::uint32_t insn) {
  const auto behind = std::ranges::upper_bound(infos, insn, {}, &T::insn_off);
  return behind == infos.begin() ? nullptr : &*(behind - 1);
}

}  // namespace

Result<std::vector<FuncInfo>> parse_func_info(const Btf& btf, const Records& records) {
  std::vector<FuncInfo> infos;
  if (records.count == 0) return infos;
  if (!size_is_valid<FuncInfo>(records))
    return fail(EINVAL, fmt::format("invalid func info rec size {}", records.record_bytes));
  for (std::uint32_t i = 0; i < records.count; ++i) {
    TRY(const FuncInfo info, record<FuncInfo>(records, i, "func info"));
    if (i == 0 && info.insn_off != 0)
      return fail(EINVAL, fmt::format("nonzero insn_off {} for the first func info record", info.insn_off));
    if (i != 0 && info.insn_off <= infos.back().insn_off) {
      return fail(EINVAL, fmt::format("same or smaller insn offset ({}) than previous func info record ({})",
                                      info.insn_off, infos.back().insn_off));
    }
    if (!btf.has(info.type_id) || btf.type(info.type_id).kind() != Kind::Func)
      return fail(EINVAL, fmt::format("invalid type id {} in func info", info.type_id));
    infos.push_back(info);
  }
  return infos;
}

Result<> match_func_info(std::span<const FuncInfo> infos, std::span<const std::uint32_t> subprograms) {
  if (infos.size() != subprograms.size())
    return fail(EINVAL, "number of funcs in func_info doesn't match number of subprogs");
  if (!std::ranges::equal(infos, subprograms, {}, &FuncInfo::insn_off))
    return fail(EINVAL, "func_info BTF section doesn't match subprog layout in BPF program");
  return {};
}

Result<std::vector<LineInfo>> parse_line_info(const Btf& btf, const Records& records, Bytes insns) {
  std::vector<LineInfo> infos;
  if (records.count == 0) return infos;
  if (!size_is_valid<LineInfo>(records))
    return fail(EINVAL, fmt::format("invalid line info rec size {}", records.record_bytes));
  const std::size_t length = insns.size() / kInsnBytes;
  for (std::uint32_t i = 0; i < records.count; ++i) {
    TRY(const LineInfo info, record<LineInfo>(records, i, "line_info"));
    const std::uint32_t previous = infos.empty() ? 0 : infos.back().insn_off;
    if ((i != 0 && info.insn_off <= previous) || info.insn_off >= length) {
      return fail(EINVAL, fmt::format("Invalid line_info[{}].insn_off:{} (prev_offset:{} prog->len:{})", i,
                                      info.insn_off, previous, length));
    }
    if (insns[info.insn_off * kInsnBytes] == std::byte{0})
      return fail(EINVAL, fmt::format("Invalid insn code at line_info[{}].insn_off", i));
    if (!btf.string(info.line_off) || !btf.string(info.file_name_off))
      return fail(EINVAL, fmt::format("Invalid line_info[{}].line_off or .file_name_off", i));
    infos.push_back(info);
  }
  return infos;
}

Result<> match_line_info(std::span<const LineInfo> infos, std::span<const std::uint32_t> subprograms) {
  if (infos.empty()) return {};
  std::size_t next = 0;
  for (const LineInfo& info : infos) {
    if (next == subprograms.size()) break;
    if (info.insn_off == subprograms[next]) {
      ++next;
    } else if (subprograms[next] < info.insn_off) {
      return fail(EINVAL, fmt::format("missing bpf_line_info for func#{}", next));
    }
  }
  if (next == subprograms.size()) return {};
  return fail(EINVAL,
              fmt::format("missing bpf_line_info for {} funcs starting from func#{}", subprograms.size() - next, next));
}

std::optional<SourceLocation> locate(const Btf& btf, std::span<const LineInfo> infos, std::uint32_t insn) {
  const LineInfo* info = last_before(infos, insn);
  if (info == nullptr) return std::nullopt;
  return SourceLocation{btf.string(info->file_name_off).value_or(""), btf.string(info->line_off).value_or(""),
                        info->line(), info->column()};
}

std::string_view function_name(const Btf& btf, std::span<const FuncInfo> infos, std::uint32_t insn) {
  const FuncInfo* info = last_before(infos, insn);
  return info != nullptr && btf.has(info->type_id) ? btf.type(info->type_id).name() : std::string_view{};
}

}  // namespace skep::btf
