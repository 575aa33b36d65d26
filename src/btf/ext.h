// Which function and which source line an instruction belongs to: the func_info and line_info of BPF_PROG_LOAD.
//
// parse_*() take the arrays as the caller of bpf(2) gave them, whose records may be longer than ours if the rest is
// zero, and check what can be checked without the program's structure; match_*() check them against its subprograms.
// Source: kernel documentation, bpf/btf; tried on a kernel. Cost: linear; a lookup is a binary search.
// Tested by: btf/ext_test.cc, spec/program_info_test.cc (against the running kernel).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "btf/btf.h"

namespace skep::btf {

// struct bpf_func_info
struct FuncInfo {
  std::uint32_t insn_off;  // of the function's first instruction
  std::uint32_t type_id;   // a FUNC
};
static_assert(sizeof(FuncInfo) == 8);

// struct bpf_line_info
struct LineInfo {
  std::uint32_t insn_off;
  std::uint32_t file_name_off;  // into the BTF's strings
  std::uint32_t line_off;       // the line's text, into the BTF's strings
  std::uint32_t line_col;       // line << 10 | column
  constexpr std::uint32_t line() const noexcept { return line_col >> 10; }
  constexpr std::uint32_t column() const noexcept { return line_col & 0x3ff; }
};
static_assert(sizeof(LineInfo) == 16);

// An array of records as it was handed over: `bytes` holds `count` records of `record_bytes` each, or as many of them
// as could be read.
struct Records {
  Bytes bytes;
  std::uint32_t record_bytes = 0;
  std::uint32_t count = 0;
};

// EINVAL: record size, order, type that is no function. E2BIG: a record with more than we know. EFAULT: the bytes end
// before a record that was looked at.
Result<std::vector<FuncInfo>> parse_func_info(const Btf& btf, const Records& records);
// One record per subprogram, at its start. EINVAL.
Result<> match_func_info(std::span<const FuncInfo> infos, std::span<const std::uint32_t> subprograms);

// `insns` are the program's, 8 bytes each. EINVAL: record size, order, an instruction that is none (the second half of
// an ld_imm64), strings. E2BIG as above.
Result<std::vector<LineInfo>> parse_line_info(const Btf& btf, const Records& records, Bytes insns);
// Each subprogram's first instruction has a line. EINVAL.
Result<> match_line_info(std::span<const LineInfo> infos, std::span<const std::uint32_t> subprograms);

struct SourceLocation {
  std::string_view file;
  std::string_view text;  // as in the file, indentation included
  std::uint32_t line = 0;
  std::uint32_t column = 0;
};

// Where instruction `insn` comes from: the last record at or before it; nullopt when there is none.
std::optional<SourceLocation> locate(const Btf& btf, std::span<const LineInfo> infos, std::uint32_t insn);
// The function that instruction `insn` is in; empty when unknown.
std::string_view function_name(const Btf& btf, std::span<const FuncInfo> infos, std::uint32_t insn);

}  // namespace skep::btf
