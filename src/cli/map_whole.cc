// skep map dump, export, import: all of a map.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/map_csv.h"
#include "cli/map_dump.h"
#include "cli/map_filter.h"
#include "cli/map_request.h"
#include "cli/map_write.h"
#include "cli/progress.h"
#include "cli/table.h"
#include "spec/map_spec.h"

namespace skep::cli {
namespace {

struct DumpRequest : MapRequest {
  bool per_cpu = false;
  std::vector<std::string> where;
  std::size_t limit = 0;
  PerCpuForm form() const { return per_cpu ? PerCpuForm::Each : PerCpuForm::Sum; }
};

struct FileRequest : MapRequest {
  std::string format;
  bool no_exist = false, exist = false;
};

// Ends a command whose map has nothing that could be listed.
Expected<> check_listable(const LiveMap& map, Elements elements) {
  if (elements == Elements::Keyless)
    return give_up(Exit::Unavailable,
                   fmt::format("map {} ({}): its values can only be taken, with pop; peek shows the next",
                               map.shape.name, map.type_name()));
  if (elements == Elements::Members)
    return give_up(Exit::Unavailable, fmt::format("map {} ({}): it can only be asked for a value, with peek",
                                                  map.shape.name, map.type_name()));
  if (elements == Elements::None)
    return give_up(Exit::Unavailable, fmt::format("map {} ({}): bpf(2) does not show elements of this type",
                                                  map.shape.name, map.type_name()));
  return {};
}

Expected<MapContents> read_all(const LiveMap& map) {
  Progress progress;
  std::uint64_t elements = 0;
  const BpfCall counted = [&](int command, spec::Attr& attr) {
    const long result = map.bpf(command, attr);
    elements += command == static_cast<int>(spec::Command::MapLookupBatch) ? attr.batch.count : 1;
    progress.show([&] { return fmt::format("{} elements read", grouped(elements)); });
    return result;
  };
  Result<MapContents> contents = read_map(counted, map.fd.get(), map.shape);
  if (!contents) return give_up(Exit::Unavailable, contents.error().message);
  if (const Expected<> done = check_listable(map, contents->elements); !done) return std::unexpected(done.error());
  return *std::move(contents);
}

// Leaves the entries that fulfil all conditions, `limit` at most (0: all).
Expected<> keep_wanted(const DumpRequest& request, const LiveMap& map, MapContents& contents) {
  std::vector<Condition> conditions;
  for (const std::string& text : request.where) {
    Result<Condition> condition = Condition::parse(text);
    if (!condition) return give_up(Exit::Usage, "--where " + condition.error().message);
    conditions.push_back(*std::move(condition));
  }
  std::erase_if(contents.entries, [&](const MapEntry& entry) {
    if (conditions.empty()) return false;
    const auto element = entry_json(contents, map.types.get(), entry, request.form());
    return !std::ranges::all_of(conditions, [&](const Condition& c) { return c.holds(element); });
  });
  if (request.limit != 0 && contents.entries.size() > request.limit) contents.entries.resize(request.limit);
  return {};
}

Expected<> dump(DumpRequest& request) {
  Words words;
  const auto map = request.open(words, {});
  if (!map) return std::unexpected(map.error());
  auto contents = read_all(*map);
  if (!contents) return std::unexpected(contents.error());
  if (const Expected<> kept = keep_wanted(request, *map, *contents); !kept) return kept;
  const DumpOptions options{.per_cpu = request.form(), .most = ~std::size_t{0}};
  if (request.json) return print_json(dump_json(*contents, map->types.get(), options)), Expected<>{};
  fmt::print("{}", dump_text(*contents, map->types.get(), options));
  return {};
}

// Everything, in the form that import takes.
Expected<> write_out(FileRequest& request) {
  Words words;
  const auto map = request.open(words);
  if (!map) return std::unexpected(map.error());
  if (words.size() > 1) return give_up(Exit::Usage, "expected MAP, and a FILE or none");
  const auto contents = read_all(*map);
  if (!contents) return std::unexpected(contents.error());
  const std::string file = words.empty() ? "-" : words[0];
  const std::string text =
      format_of(request.format, file) == FileFormat::Csv
          ? csv_text(*contents, map->types.get())
          : dump_json(*contents, map->types.get()).dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  if (file == "-") return fmt::print("{}", text), Expected<>{};
  std::ofstream out(file, std::ios::binary);
  if (!(out << text) || !out.flush())
    return give_up(Exit::Input, fmt::format("{}: cannot be written: {}", file, std::strerror(errno)));
  return {};
}

Expected<> read_in(FileRequest& request) {
  Words words;
  const auto map = request.open(words, {"FILE"});
  if (!map) return std::unexpected(map.error());
  const std::uint64_t flags = request.no_exist ? spec::kNoExist : request.exist ? spec::kExist : spec::kAny;
  const auto written = write_file(*map, words[0], request.format, flags);
  if (!written) return std::unexpected(written.error());
  if (request.json) print_json({{"written", *written}});
  if (!request.json) fmt::print("{} entries written\n", *written);
  return {};
}

}  // namespace

void declare_map_dump(CommandGroup& group) {
  auto [command, request] = declare_map_command<DumpRequest>(group, "dump", "Show all elements", {"MAP"}, dump);
  add_type_options(command, request);
  command.add_flag("--per-cpu", request.per_cpu, "the values of each CPU, not their sum");
  command
      .add_option("--where", request.where,
                  "only elements of which this holds: a place, a comparison (= != < <= > >= ~) and a word, such as "
                  "value.count>100; may be given several times")
      ->type_name("CONDITION")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command.add_option("--limit", request.limit, "show N elements at most")->check(CLI::PositiveNumber)->type_name("N");
  command.footer(
      "Elements are sorted by key. Elements of arrays that are all zeros are counted, not shown; --json shows them.");
}

void declare_map_export(CommandGroup& group) {
  auto [command, request] = declare_map_command<FileRequest>(
      group, "export", "Write all elements to a file that import takes", {"MAP", "FILE"}, write_out);
  add_type_options(command, request);
  add_format_option(command, request.format);
}

void declare_map_import(CommandGroup& group) {
  auto [command, request] = declare_map_command<FileRequest>(
      group, "import", "Write the elements of a file (- is standard input) into a map", {"MAP", "FILE"}, read_in);
  add_type_options(command, request);
  add_format_option(command, request.format);
  auto* no_exist = command.add_flag("--noexist", request.no_exist, "fail at a key that is there");
  command.add_flag("--exist", request.exist, "fail at a key that is not there")->excludes(no_exist);
}

}  // namespace skep::cli
