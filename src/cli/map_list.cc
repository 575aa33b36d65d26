// skep map list and show: which maps there are, and what one is.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "btf/print.h"
#include "cli/map_flags.h"
#include "cli/map_request.h"
#include "cli/style.h"
#include "cli/table.h"

namespace skep::cli {
namespace {

using Json = nlohmann::ordered_json;

// Everything about a map that is a number or a word.
struct Described {
  hive::ListedMap map;
  std::optional<Fill> fill;

  const spec::MapInfo& info() const { return map.info; }
};

Described describe(const LiveMap& map) {
  return {
      .map = {.info = map.info, .memory_bytes = memory_bytes(map), .is_frozen = is_frozen(map) ? 1U : 0, .reserved = 0},
      .fill = fill_of(map)};
}

bool counts_bytes(const Described& map) { return elements_of(map.info().type) == Elements::Records; }

Json json_of(const Described& map) {
  const spec::MapInfo& info = map.info();
  Json out = {{"id", info.id},
              {"name", text_in(info.name)},
              {"type", map_type_name(info.type)},
              {"key_bytes", info.key_size},
              {"value_bytes", info.value_size},
              {"max_entries", info.max_entries}};
  if (map.fill) out[counts_bytes(map) ? "bytes_waiting" : "entries"] = map.fill->used;
  out["memory_bytes"] = map.map.memory_bytes;
  out["frozen"] = map.map.is_frozen != 0;
  out["flags"] = map_flags_text(info.map_flags);
  if (info.map_extra != 0) out["map_extra"] = info.map_extra;
  if (info.btf_id != 0) out["btf_id"] = info.btf_id;
  return out;
}

// The list that the hive gave, of which only maps are opened whose elements must be counted.
Expected<std::vector<Described>> describe_listed(const BackEnd& place) {
  const auto listed = place.list_maps();
  if (!listed) return std::unexpected(unavailable("the maps cannot be listed", -listed.error().code));
  std::vector<Described> maps;
  for (const hive::ListedMap& map : *listed) {
    maps.push_back({.map = map, .fill = known_fill(map.info)});
    if (maps.back().fill || !is_counted(map.info.type)) continue;
    auto fd = object_by_id(place.bpf, ObjectKind::Map, map.info.id);
    if (!fd && fd.error().code != Exit::Absent) return std::unexpected(fd.error());
    if (!fd) {
      maps.pop_back();  // gone meanwhile
      continue;
    }
    if (const auto live = look_at_map(place.bpf, *std::move(fd))) maps.back().fill = fill_of(*live);
  }
  return maps;
}

Expected<std::vector<Described>> describe_one_by_one(const BpfCall& bpf) {
  std::vector<Described> maps;
  const Expected<> done = for_each_object(bpf, ObjectKind::Map, [&](Fd fd) -> Expected<> {
    const auto map = look_at_map(bpf, std::move(fd));
    if (!map) return std::unexpected(map.error());
    maps.push_back(describe(*map));
    return {};
  });
  if (!done) return std::unexpected(done.error());
  return maps;
}

std::string used_text(const Described& map) {
  return map.fill ? grouped(map.fill->used) + (counts_bytes(map) ? " B" : "") : "-";
}

std::string table_of(const std::vector<Described>& maps) {
  Table table({"name", "id", "type", "key", "value", "entries", "of", "memory", "flags"});
  for (const Described& map : maps) {
    const spec::MapInfo& info = map.info();
    std::string flags = map_flags_text(info.map_flags);
    if (map.map.is_frozen != 0) flags += flags.empty() ? "frozen" : ", frozen";
    const std::string name = text_in(info.name);
    table.add({name.empty() ? "-" : name, std::to_string(info.id), std::string(map_type_name(info.type)),
               grouped(info.key_size), grouped(info.value_size), used_text(map), grouped(info.max_entries),
               grouped(map.map.memory_bytes), flags});
  }
  return table.text();
}

Expected<> list(MapRequest& request) {
  const auto place = request.place();
  if (!place) return std::unexpected(place.error());
  const auto maps = place->list_maps ? describe_listed(*place) : describe_one_by_one(place->bpf);
  if (!maps) return std::unexpected(maps.error());
  if (request.json) {
    Json all = Json::array();
    for (const Described& map : *maps) all.push_back(json_of(map));
    return print_json(all), Expected<>{};
  }
  fmt::print("{}", maps->empty() ? "no maps\n" : table_of(*maps));
  return {};
}

// A type as C, with its members where it is a structure.
std::string type_text(const LiveMap& map, std::uint32_t type) {
  if (!map.types || type == 0 || !map.types->has(type)) return "";
  const std::uint32_t plain = map.types->resolve(type);
  const Result<std::string> declared = btf::declare(*map.types, map.types->type(type).name().empty() ? plain : type);
  std::string text = declared ? *declared : "";
  if (const auto name = map.types->type(type);
      btf::is_modifier(name.kind()) && btf::is_composite(map.types->type(plain).kind()))
    if (const Result<std::string> members = btf::declare(*map.types, plain)) text += "\n" + *members;
  return text;
}

std::string indented(std::string text) {
  for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 3) text.replace(at, 1, "\n  ");
  return text;
}

Expected<> show(MapRequest& request) {
  Words words;
  const auto map = request.open(words, {});
  if (!map) return std::unexpected(map.error());
  const Described seen = describe(*map);
  Json about = json_of(seen);
  const std::string key = type_text(*map, map->shape.key_type), value = type_text(*map, map->shape.value_type);
  if (!key.empty()) about["key_type"] = key;
  if (!value.empty()) about["value_type"] = value;
  if (request.json) return print_json(about), Expected<>{};
  const Style style(stdout);
  fmt::print("{} ({}, id {})\n", style.title(map->shape.name), map->type_name(), map->info.id);
  fmt::print("  key      {} bytes\n  value    {} bytes{}\n", map->info.key_size, map->info.value_size,
             map->shape.cpus == 0 ? "" : fmt::format(" on each of {} CPUs", map->shape.cpus));
  fmt::print("  entries  {} of {}\n", used_text(seen), grouped(map->info.max_entries));
  fmt::print("  memory   {} bytes\n", grouped(seen.map.memory_bytes));
  if (map->info.map_flags != 0) fmt::print("  flags    {}\n", about["flags"].get<std::string>());
  if (map->info.map_extra != 0) fmt::print("  extra    {}\n", map->info.map_extra);
  if (seen.map.is_frozen != 0) fmt::print("  frozen\n");
  if (!key.empty()) fmt::print("{}\n  {}\n", style.faint("key type"), indented(key));
  if (!value.empty()) fmt::print("{}\n  {}\n", style.faint("value type"), indented(value));
  return {};
}

}  // namespace

void declare_map_list(CommandGroup& group) {
  declare_map_command<MapRequest>(group, "list", "List all maps", {}, list);
}

void declare_map_show(CommandGroup& group) {
  auto [command, request] =
      declare_map_command<MapRequest>(group, "show", "Show what a map is: sizes, fill, types", {"MAP"}, show);
  add_type_options(command, request);
}

}  // namespace skep::cli
