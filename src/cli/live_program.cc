#include "cli/live_program.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "cli/fdinfo.h"
#include "cli/reference.h"
#include "spec/types.h"

namespace skep::cli {
namespace {

using Tag = std::array<std::uint8_t, 8>;

// Room for as many records as `count` says there are, and where it is.
template <class T>
std::uint64_t make_room(std::vector<T>& records, std::uint32_t count) {
  records.resize(count);
  return count == 0 ? 0 : address(records.data());
}
template <class T>
void keep(std::vector<T>& records, std::uint32_t count) {
  records.resize(std::min<std::size_t>(records.size(), count));
}

}  // namespace

std::string LiveProgram::called() const { return name().empty() ? std::to_string(info.id) : name(); }

std::string_view LiveProgram::type_name() const { return spec::name(static_cast<spec::ProgType>(info.type)); }

Expected<LiveProgram> look_at_program(const BpfCall& bpf, Fd fd) {
  LiveProgram program{.bpf = bpf, .fd = std::move(fd), .map_ids = {}};
  if (const long error = get_info(bpf, program.fd.get(), program.info); error < 0)
    return std::unexpected(unavailable("this is no program", error));
  spec::ProgInfo maps{};
  maps.nr_map_ids = program.info.nr_map_ids;
  maps.map_ids = make_room(program.map_ids, maps.nr_map_ids);
  if (const long error = get_info(bpf, program.fd.get(), maps); error < 0)
    return std::unexpected(unavailable(fmt::format("the maps of program {} cannot be read", program.called()), error));
  keep(program.map_ids, maps.nr_map_ids);
  return program;
}

std::uint64_t memory_bytes(const LiveProgram& program) {
  return fdinfo_number(program.fd.get(), "memlock:").value_or(0);
}

Expected<ProgramContents> contents_of(const LiveProgram& program) {
  const spec::ProgInfo& has = program.info;
  ProgramContents contents;
  std::vector<Tag> tags;
  spec::ProgInfo ask{};
  const auto insns = static_cast<std::uint32_t>(has.xlated_prog_len / sizeof(isa::Insn));
  ask.xlated_prog_len = insns * std::uint32_t{sizeof(isa::Insn)};
  ask.xlated_prog_insns = make_room(contents.insns, insns);
  ask.jited_prog_len = has.jited_prog_len;
  ask.jited_prog_insns = make_room(contents.machine_code, has.jited_prog_len);
  ask.nr_jited_ksyms = has.nr_jited_ksyms;
  ask.jited_ksyms = make_room(contents.symbols, has.nr_jited_ksyms);
  ask.nr_jited_func_lens = has.nr_jited_func_lens;
  ask.jited_func_lens = make_room(contents.code_lengths, has.nr_jited_func_lens);
  ask.nr_func_info = has.nr_func_info;
  ask.func_info_rec_size = sizeof(spec::FuncInfo);
  ask.func_info = make_room(contents.functions, has.nr_func_info);
  ask.nr_line_info = has.nr_line_info;
  ask.line_info_rec_size = sizeof(spec::LineInfo);
  ask.line_info = make_room(contents.lines, has.nr_line_info);
  ask.nr_jited_line_info = has.nr_jited_line_info;
  ask.jited_line_info_rec_size = sizeof(std::uint64_t);
  ask.jited_line_info = make_room(contents.code_lines, has.nr_jited_line_info);
  ask.nr_prog_tags = has.nr_prog_tags;
  ask.prog_tags = make_room(tags, has.nr_prog_tags);
  if (const long error = get_info(program.bpf, program.fd.get(), ask); error < 0)
    return std::unexpected(unavailable(fmt::format("program {} cannot be read", program.called()), error));
  keep(contents.insns, ask.xlated_prog_len / sizeof(isa::Insn));
  keep(contents.machine_code, ask.jited_prog_len);
  keep(contents.symbols, ask.nr_jited_ksyms);
  keep(contents.code_lengths, ask.nr_jited_func_lens);
  keep(contents.functions, ask.nr_func_info);
  keep(contents.lines, ask.nr_line_info);
  keep(contents.code_lines, ask.nr_jited_line_info);
  keep(tags, ask.nr_prog_tags);
  for (const Tag& tag : tags) contents.tags.push_back(tag_text(tag));
  // The kernel says with a null address that it does not show what there is.
  if (ask.xlated_prog_insns == 0) contents.insns.clear();
  if (ask.jited_prog_insns == 0) contents.machine_code.clear();
  contents.types = types_by_id(program.bpf, has.btf_id);
  return contents;
}

}  // namespace skep::cli
