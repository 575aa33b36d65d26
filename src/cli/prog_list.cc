// skep prog list and show: which programs there are, and what one is.
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

#include "cli/prog.h"
#include "cli/style.h"
#include "cli/table.h"

namespace skep::cli {
namespace {

using Json = nlohmann::ordered_json;

// Seconds since 1970 of a time since the machine started.
std::time_t wall_clock(std::uint64_t since_boot) {
  timespec now{}, boot{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  ::clock_gettime(CLOCK_BOOTTIME, &boot);
  const auto nanoseconds = [](const timespec& t) { return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec; };
  return static_cast<std::time_t>((nanoseconds(now) - nanoseconds(boot) + static_cast<std::int64_t>(since_boot)) /
                                  1'000'000'000);
}

// Everything about a program that is a number or a word, as bpftool calls it.
Json describe(const LiveProgram& program) {
  const spec::ProgInfo& info = program.info;
  Json out = {{"id", info.id},
              {"type", program.type_name()},
              {"name", program.name()},
              {"tag", tag_text(info.tag)},
              {"gpl_compatible", (info.gpl_compatible & 1U) != 0},
              {"loaded_at", wall_clock(info.load_time)},
              {"uid", info.created_by_uid},
              {"bytes_xlated", info.xlated_prog_len},
              {"jited", info.jited_prog_len != 0},
              {"bytes_jited", info.jited_prog_len}};
  if (const std::uint64_t bytes = memory_bytes(program); bytes != 0) out["bytes_memlock"] = bytes;
  out["map_ids"] = program.map_ids;
  if (info.btf_id != 0) out["btf_id"] = info.btf_id;
  if (info.verified_insns != 0) out["verified_insns"] = info.verified_insns;
  if (info.run_cnt != 0) {
    out["run_time_ns"] = info.run_time_ns;
    out["run_cnt"] = info.run_cnt;
  }
  return out;
}

std::string name_or_dash(const std::string& name) { return name.empty() ? "-" : name; }
std::string or_dash(std::uint64_t number) { return number == 0 ? "-" : grouped(number); }

std::string table_of(const std::vector<LiveProgram>& programs) {
  Table table({"name", "id", "type", "tag", "xlated", "jited", "runs", "maps"});
  for (const LiveProgram& program : programs) {
    const spec::ProgInfo& info = program.info;
    table.add({name_or_dash(program.name()), std::to_string(info.id), std::string(program.type_name()),
               tag_text(info.tag), or_dash(info.xlated_prog_len), or_dash(info.jited_prog_len), or_dash(info.run_cnt),
               fmt::format("{}", fmt::join(program.map_ids, ","))});
  }
  return table.text();
}

// "12 counts, 13 h1.data"
std::string maps_text(const LiveProgram& program) {
  std::vector<std::string> maps;
  for (const std::uint32_t id : program.map_ids) {
    spec::MapInfo info{};
    const auto fd = object_by_id(program.bpf, ObjectKind::Map, id);
    const bool known = fd && get_info(program.bpf, fd->get(), info) >= 0;
    maps.push_back(known ? fmt::format("{} {}", id, text_in(info.name)) : std::to_string(id));
  }
  return fmt::format("{}", fmt::join(maps, ", "));
}

void print_one(const LiveProgram& program) {
  const spec::ProgInfo& info = program.info;
  const Style style(stdout);
  const auto line = [](std::string_view what, const std::string& value) { fmt::print("  {:<8} {}\n", what, value); };
  fmt::print("{} ({}, id {})\n", style.title(program.called()), program.type_name(), info.id);
  line("tag", tag_text(info.tag));
  line("license", (info.gpl_compatible & 1U) != 0 ? "GPL compatible" : "not GPL compatible");
  line("loaded", fmt::format("{:%Y-%m-%dT%H:%M:%S%z} by uid {}", fmt::localtime(wall_clock(info.load_time)),
                             info.created_by_uid));
  if (info.xlated_prog_len != 0)
    line("xlated", fmt::format("{} instructions", grouped(info.xlated_prog_len / sizeof(isa::Insn))));
  line("jited", info.jited_prog_len == 0 ? "no" : fmt::format("{} bytes", grouped(info.jited_prog_len)));
  if (const std::uint64_t bytes = memory_bytes(program); bytes != 0)
    line("memory", fmt::format("{} bytes", grouped(bytes)));
  if (info.verified_insns != 0) line("verified", fmt::format("{} steps", grouped(info.verified_insns)));
  if (!program.map_ids.empty()) line("maps", maps_text(program));
  if (info.btf_id != 0) line("BTF", std::to_string(info.btf_id));
  if (info.run_cnt != 0)
    line("ran", fmt::format("{} times, {} ns each", grouped(info.run_cnt), grouped(info.run_time_ns / info.run_cnt)));
}

Expected<> list(ObjectRequest& request) {
  const auto bpf = request.bpf();
  if (!bpf) return std::unexpected(bpf.error());
  if (!request.words.empty()) {
    const auto program = open_program(request, *bpf);
    if (!program) return std::unexpected(program.error());
    if (request.json) return print_json(describe(*program)), Expected<>{};
    return print_one(*program), Expected<>{};
  }
  std::vector<LiveProgram> programs;
  Json described = Json::array();
  const Expected<> done = for_each_object(*bpf, ObjectKind::Program, [&](Fd fd) -> Expected<> {
    auto program = look_at_program(*bpf, std::move(fd));
    if (!program) return std::unexpected(program.error());
    if (request.json) described.push_back(describe(*program));
    program->fd.reset();
    programs.push_back(*std::move(program));
    return {};
  });
  if (!done) return done;
  if (request.json) return print_json(described), Expected<>{};
  fmt::print("{}", programs.empty() ? "no programs\n" : table_of(programs));
  return {};
}

}  // namespace

void declare_prog_list(CommandGroup& group) {
  declare_object_command<ObjectRequest>(group, "list", "List all programs, or show one", {"[PROG]"}, list);
}
void declare_prog_show(CommandGroup& group) {
  declare_object_command<ObjectRequest>(group, "show", "Show what a program is, or list all", {"[PROG]"}, list);
}

}  // namespace skep::cli
