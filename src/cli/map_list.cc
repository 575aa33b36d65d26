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
Json describe(const hive::ListedMap& map, const std::optional<Fill>& fill) {
  const spec::MapInfo& info = map.info;
  Json out = {{"id", info.id},
              {"name", text_in(info.name)},
              {"type", map_type_name(info.type)},
              {"key_bytes", info.key_size},
              {"value_bytes", info.value_size},
              {"max_entries", info.max_entries}};
  if (fill) out[elements_of(info.type) == Elements::Records ? "bytes_waiting" : "entries"] = fill->used;
  out["memory_bytes"] = map.memory_bytes;
  out["frozen"] = map.is_frozen != 0;
  out["flags"] = map_flags_text(info.map_flags);
  if (info.map_extra != 0) out["map_extra"] = info.map_extra;
  if (info.btf_id != 0) out["btf_id"] = info.btf_id;
  return out;
}

Json describe(const LiveMap& map) {
  const hive::ListedMap listed{
      .info = map.info, .memory_bytes = memory_bytes(map), .is_frozen = is_frozen(map) ? 1U : 0, .reserved = 0};
  return describe(listed, fill_of(map));
}

// The list that the hive gave, of which only maps are opened whose elements must be counted.
Expected<Json> describe_listed(const BackEnd& place) {
  const auto listed = place.list_maps();
  if (!listed) return std::unexpected(unavailable("the maps cannot be listed", -listed.error().code));
  Json maps = Json::array();
  for (const hive::ListedMap& map : *listed) {
    std::optional<Fill> fill = known_fill(map.info);
    if (!fill && is_counted(map.info.type)) {
      auto fd = object_by_id(place.bpf, ObjectKind::Map, map.info.id);
      if (!fd && fd.error().code == Exit::Absent) continue;  // gone meanwhile
      if (!fd) return std::unexpected(fd.error());
      const auto live = look_at_map(place.bpf, *std::move(fd));
      if (live) fill = fill_of(*live);
    }
    maps.push_back(describe(map, fill));
  }
  return maps;
}

Expected<Json> describe_one_by_one(const BpfCall& bpf) {
  Json maps = Json::array();
  const Expected<> done = for_each_object(bpf, ObjectKind::Map, [&](Fd fd) -> Expected<> {
    const auto map = look_at_map(bpf, std::move(fd));
    if (!map) return std::unexpected(map.error());
    maps.push_back(describe(*map));
    return {};
  });
  if (!done) return std::unexpected(done.error());
  return maps;
}

std::string text_of(const Json& about, const char* field) {
  return about.contains(field) ? grouped(about[field].get<std::uint64_t>()) : "-";
}

std::string used_text(const Json& about) {
  return about.contains("bytes_waiting") ? text_of(about, "bytes_waiting") + " B" : text_of(about, "entries");
}

std::string table_of(const Json& maps) {
  Table table({"name", "id", "type", "key", "value", "entries", "of", "memory", "flags"});
  for (const Json& map : maps) {
    std::string flags = map["flags"].get<std::string>();
    if (map["frozen"].get<bool>()) flags += flags.empty() ? "frozen" : ", frozen";
    const auto name = map["name"].get<std::string>();
    table.add({name.empty() ? "-" : name, std::to_string(map["id"].get<std::uint32_t>()),
               map["type"].get<std::string>(), text_of(map, "key_bytes"), text_of(map, "value_bytes"), used_text(map),
               text_of(map, "max_entries"), text_of(map, "memory_bytes"), flags});
  }
  return table.text();
}

Expected<> list(MapRequest& request) {
  const auto place = request.place();
  if (!place) return std::unexpected(place.error());
  const Expected<Json> maps = place->list_maps ? describe_listed(*place) : describe_one_by_one(place->bpf);
  if (!maps) return std::unexpected(maps.error());
  if (request.json) return print_json(*maps), Expected<>{};
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
  Json about = describe(*map);
  const std::string key = type_text(*map, map->shape.key_type), value = type_text(*map, map->shape.value_type);
  if (!key.empty()) about["key_type"] = key;
  if (!value.empty()) about["value_type"] = value;
  if (request.json) return print_json(about), Expected<>{};
  const Style style(stdout);
  fmt::print("{} ({}, id {})\n", style.title(map->shape.name), map->type_name(), map->info.id);
  fmt::print("  key      {} bytes\n  value    {} bytes{}\n", map->info.key_size, map->info.value_size,
             map->shape.cpus == 0 ? "" : fmt::format(" on each of {} CPUs", map->shape.cpus));
  fmt::print("  entries  {} of {}\n", used_text(about), text_of(about, "max_entries"));
  fmt::print("  memory   {} bytes\n", text_of(about, "memory_bytes"));
  if (map->info.map_flags != 0) fmt::print("  flags    {}\n", about["flags"].get<std::string>());
  if (map->info.map_extra != 0) fmt::print("  extra    {}\n", map->info.map_extra);
  if (about["frozen"].get<bool>()) fmt::print("  frozen\n");
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
