// skep map: the group of commands; what they share is map_request.h.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/map_request.h"
#include "cli/type_source.h"

namespace skep::cli {
namespace {

Expected<std::uint32_t> type_named(const btf::Btf* types, const std::string& name, std::uint32_t bytes,
                                   std::string_view option) {
  const auto id = types ? find_type(*types, name) : std::nullopt;
  if (!id) {
    return give_up(Exit::Input,
                   fmt::format("{}: {} type \"{}\"", option,
                               types ? "the BTF has no" : "the map has no BTF, name it with --btf; no", name));
  }
  if (types->size_of(*id) != bytes) {
    return give_up(Exit::Input, fmt::format("{}: \"{}\" has {} bytes, expected the map's {}", option, name,
                                            types->size_of(*id).value_or(0), bytes));
  }
  return *id;
}

Expected<> take_types(const MapRequest& request, LiveMap& map) {
  if (!request.types_file.empty()) {
    auto types = read_types(request.types_file);
    if (!types) return std::unexpected(types.error());
    map.types = *std::move(types);
    map.shape.key_type = map.shape.value_type = 0;
  }
  if (!request.key_type.empty()) {
    const auto id = type_named(map.types.get(), request.key_type, map.shape.key_size, "--key-type");
    if (!id) return std::unexpected(id.error());
    map.shape.key_type = *id;
  }
  if (!request.value_type.empty()) {
    const auto id = type_named(map.types.get(), request.value_type, map.shape.value_size, "--value-type");
    if (!id) return std::unexpected(id.error());
    map.shape.value_type = *id;
  }
  return {};
}

}  // namespace

Expected<LiveMap> MapRequest::open(Words& rest) const {
  rest = words;
  const auto name = take_reference(ObjectKind::Map, rest);
  if (!name) return std::unexpected(name.error());
  const auto call = bpf();
  if (!call) return std::unexpected(call.error());
  auto map = open_map(*call, *name);
  if (!map) return map;
  if (const Expected<> typed = take_types(*this, *map); !typed) return std::unexpected(typed.error());
  return map;
}

Expected<LiveMap> MapRequest::open(Words& rest, std::initializer_list<const char*> names) const {
  Words behind = words;
  if (const auto name = take_reference(ObjectKind::Map, behind); !name) return std::unexpected(name.error());
  if (behind.size() < names.size())
    return give_up(Exit::Usage, fmt::format("{} is missing", *(names.begin() + behind.size())));
  if (behind.size() > names.size()) {
    return give_up(Exit::Usage, fmt::format("\"{}\" is one word too many; put quotes around a key or value with blanks",
                                            behind[names.size()]));
  }
  return open(rest);
}

void add_type_options(CLI::App& command, MapRequest& request) {
  command.add_option("--btf", request.types_file, "take the types from FILE, an object file or raw BTF")
      ->type_name("FILE");
  command.add_option("--key-type", request.key_type, "the type of keys, by its name in the BTF")->type_name("TYPE");
  command.add_option("--value-type", request.value_type, "the type of values, by its name in the BTF")
      ->type_name("TYPE");
}

std::unexpected<Failure> wrong_input(const Error& error) { return give_up(Exit::Input, error.message); }

void declare_map(Program& program) {
  CLI::App* app = program.app.add_subcommand("map", "Make maps, look into them and change them");
  app->require_subcommand(1);
  app->footer(
      "A map is named by NAME or name NAME, by N or id N, by /PATH or pinned PATH. Keys, values and records are "
      "written\n"
      "as JSON by their BTF types, as in map files: numbers, {\"member\": value}, [1, 2]; text needs no quotes: "
      "10.0.0.1,\n"
      "10.0.0.0/8, be:443, 02:00:00:00:00:01, an enumerator's name; \"0a 00 00 01\" are bytes.");
  CommandGroup group{.program = program, .app = *app};
#define MAP_COMMAND(name) declare_map_##name(group);
#include "cli/map_commands.def"
#undef MAP_COMMAND
}

}  // namespace skep::cli
