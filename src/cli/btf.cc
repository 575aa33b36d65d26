// skep btf: types that a hive or the kernel holds, or a file has.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

#include "cli/btf_text.h"
#include "cli/live_map.h"
#include "cli/live_program.h"
#include "cli/object_request.h"
#include "cli/table.h"
#include "cli/type_source.h"
#include "loader/btf_text.h"

namespace skep::cli {
namespace {

using Json = nlohmann::ordered_json;

// ---- skep btf list

struct LiveBtf {
  std::uint32_t id = 0, bytes = 0;
  bool kernel = false;
  std::string name;
  std::vector<std::uint32_t> programs, maps;  // that use it
};

Expected<LiveBtf> look_at_btf(const BpfCall& bpf, int fd) {
  char name[64] = {};
  spec::BtfInfo info{.btf = 0, .btf_size = 0, .id = 0, .name = address(name), .name_len = sizeof name, .kernel_btf = 0};
  if (const long error = get_info(bpf, fd, info); error < 0)
    return std::unexpected(unavailable("this is no BTF", error));
  return LiveBtf{.id = info.id,
                 .bytes = info.btf_size,
                 .kernel = info.kernel_btf != 0,
                 .name = text_in(name),
                 .programs = {},
                 .maps = {}};
}

using Users = std::map<std::uint32_t, std::vector<std::uint32_t>>;  // ids of objects by the BTF they use

template <class Info>
Expected<Users> users_of(const BpfCall& bpf, ObjectKind kind) {
  Users users;
  const Expected<> done = for_each_object(bpf, kind, [&](const Fd& fd) -> Expected<> {
    Info info{};
    if (get_info(bpf, fd.get(), info) >= 0 && info.btf_id != 0) users[info.btf_id].push_back(info.id);
    return {};
  });
  if (!done) return std::unexpected(done.error());
  return users;
}

Expected<std::vector<LiveBtf>> find_btfs(const ObjectRequest& request, const BpfCall& bpf) {
  auto list = look_at_objects(request, bpf, ObjectKind::Btf, look_at_btf);
  if (!list) return std::unexpected(list.error());
  const auto programs = users_of<spec::ProgInfo>(bpf, ObjectKind::Program);
  if (!programs) return std::unexpected(programs.error());
  const auto maps = users_of<spec::MapInfo>(bpf, ObjectKind::Map);
  if (!maps) return std::unexpected(maps.error());
  for (LiveBtf& btf : *list) {
    if (const auto found = programs->find(btf.id); found != programs->end()) btf.programs = found->second;
    if (const auto found = maps->find(btf.id); found != maps->end()) btf.maps = found->second;
  }
  return list;
}

Json describe(const LiveBtf& btf) {
  Json out = {{"id", btf.id}, {"size", btf.bytes}, {"kernel", btf.kernel}};
  if (!btf.name.empty()) out["name"] = btf.name;
  out["prog_ids"] = btf.programs;
  out["map_ids"] = btf.maps;
  return out;
}

Expected<> list(ObjectRequest& request) {
  const auto bpf = request.bpf();
  if (!bpf) return std::unexpected(bpf.error());
  const auto btfs = find_btfs(request, *bpf);
  if (!btfs) return std::unexpected(btfs.error());
  Json described = Json::array();
  Table table({"id", "name", "bytes", "programs", "maps"});
  for (const LiveBtf& btf : *btfs) {
    described.push_back(describe(btf));
    table.add({std::to_string(btf.id), btf.name.empty() ? "-" : btf.name, grouped(btf.bytes),
               fmt::format("{}", fmt::join(btf.programs, ",")), fmt::format("{}", fmt::join(btf.maps, ","))});
  }
  if (request.json) return print_json(request.words.empty() ? described : described[0]), Expected<>{};
  fmt::print("{}", btfs->empty() ? "no BTF\n" : table.text());
  return {};
}

// ---- skep btf dump

struct DumpRequest : ObjectRequest {
  std::string format = "raw";
  bool key = false, value = false, both = false, all = false;
};

struct Source {
  std::vector<std::byte> bytes;
  std::vector<std::uint32_t> roots;  // only these types; empty: all
};

std::unexpected<Failure> has_none(ObjectKind kind, const std::string& name) {
  return give_up(Exit::Absent, fmt::format("{} {} has no BTF", noun(kind), name));
}

Expected<Source> source_of_id(const BpfCall& bpf, std::uint32_t id) {
  const auto fd = object_by_id(bpf, ObjectKind::Btf, id);
  if (!fd) return std::unexpected(fd.error());
  auto bytes = btf_bytes(bpf, fd->get());
  if (!bytes) return std::unexpected(bytes.error());
  return Source{*std::move(bytes), {}};
}

Expected<Source> source_of_program(const BpfCall& bpf, const Reference& name) {
  auto fd = open_object(bpf, ObjectKind::Program, name);
  if (!fd) return std::unexpected(fd.error());
  const auto program = look_at_program(bpf, *std::move(fd));
  if (!program) return std::unexpected(program.error());
  if (program->info.btf_id == 0) return has_none(ObjectKind::Program, program->called());
  return source_of_id(bpf, program->info.btf_id);
}

Expected<Source> source_of_map(const BpfCall& bpf, const Reference& name, const DumpRequest& request) {
  const auto map = open_map(bpf, name);
  if (!map) return std::unexpected(map.error());
  if (map->info.btf_id == 0) return has_none(ObjectKind::Map, map->shape.name);
  auto source = source_of_id(bpf, map->info.btf_id);
  if (!source || request.all) return source;
  const bool everything = request.both || (!request.key && !request.value);
  if ((everything || request.key) && map->info.btf_key_type_id != 0) source->roots.push_back(map->info.btf_key_type_id);
  if ((everything || request.value) && map->info.btf_value_type_id != 0)
    source->roots.push_back(map->info.btf_value_type_id);
  if (source->roots.empty())
    return give_up(Exit::Absent, fmt::format("map {} has no type for that; `all` shows its BTF", map->shape.name));
  return source;
}

Expected<Source> find_source(const DumpRequest& request) {
  Words words = request.words;
  const std::string& first = words[0];
  if (words.size() == 2 && first == "file") {
    const auto types = read_types(words[1]);
    if (!types) return std::unexpected(types.error());
    const Bytes bytes = (*types)->bytes();
    return Source{{bytes.begin(), bytes.end()}, {}};
  }
  const auto bpf = request.bpf();
  if (!bpf) return std::unexpected(bpf.error());
  const ObjectKind kind = words.size() == 1 ? ObjectKind::Btf
                          : first == "prog" ? ObjectKind::Program
                          : first == "map"  ? ObjectKind::Map
                                            : ObjectKind::Btf;
  if (kind != ObjectKind::Btf) words = words.subspan(1);
  const auto name = take_reference(kind, words);
  if (!name) return std::unexpected(name.error());
  if (kind == ObjectKind::Program) return source_of_program(*bpf, *name);
  if (kind == ObjectKind::Map) return source_of_map(*bpf, *name, request);
  const auto fd = open_object(*bpf, ObjectKind::Btf, *name);
  if (!fd) return std::unexpected(fd.error());
  auto bytes = btf_bytes(*bpf, fd->get());
  if (!bytes) return std::unexpected(bytes.error());
  return Source{*std::move(bytes), {}};
}

Expected<> dump(DumpRequest& request) {
  const auto source = find_source(request);
  if (!source) return std::unexpected(source.error());
  if (request.format == "c") {
    const auto text = loader::c_declarations(source->bytes, source->roots);
    if (!text) return give_up(Exit::Input, text.error().message);
    if (request.json) return print_json({{"c", *text}}), Expected<>{};
    return fmt::print("{}", *text), Expected<>{};
  }
  const Result<btf::Btf> types = btf::Btf::parse(source->bytes, nullptr, {.attribute_tags = true});
  if (!types)
    return give_up(Exit::Input, fmt::format("this BTF cannot be read by itself: {}; that of a kernel module builds on "
                                            "vmlinux's",
                                            types.error().message));
  Json list = Json::array();
  const auto show = [&](std::uint32_t id) {
    if (request.json) list.push_back(type_json(*types, id));
    if (!request.json) fmt::print("{}\n", type_text(*types, id));
  };
  for (const std::uint32_t id : source->roots) show(id);
  for (std::uint32_t id = 1; source->roots.empty() && id <= types->count(); ++id) show(id);
  if (request.json) print_json({{"types", list}});
  return {};
}

}  // namespace

void declare_btf(Program& program) {
  CLI::App* app = program.app.add_subcommand("btf", "Look at the types that programs and maps have");
  app->require_subcommand(1);
  app->footer(
      "BTF is named by N or id N, by NAME or name NAME (vmlinux, modules), by what uses it: prog PROG, map MAP; or it "
      "is read\nfrom file FILE, an object file or raw BTF. Options may be given as bpftool has them: btf dump map NAME "
      "value format c.");
  CommandGroup group{.program = program, .app = *app};
  declare_object_command<ObjectRequest>(group, "list", "List all BTF objects, or show one", {"[BTF]"}, list);
  declare_object_command<ObjectRequest>(group, "show", "Show what a BTF object is, or list all", {"[BTF]"}, list);
  auto [command, request] = declare_object_command<DumpRequest>(group, "dump", "Show types", {"BTF"}, dump);
  command.add_option("--format", request.format, "raw: a line or more for each; c: as C declarations")
      ->check(CLI::IsMember({"raw", "c"}))
      ->capture_default_str()
      ->type_name("FORMAT");
  command.add_flag("--key", request.key, "of a map: its keys' type");
  command.add_flag("--value", request.value, "of a map: its values' type");
  command.add_flag("--kv", request.both, "of a map: both (default)");
  command.add_flag("--all", request.all, "of a map: all types of its BTF");
}

}  // namespace skep::cli
