// What the commands of `skep map` share: which map, and what its types are. Words are JSON or text, as
// docs/map-command.md says. Tested by: tests/map_command.
#pragma once

#include <CLI/App.hpp>
#include <initializer_list>
#include <string>
#include <vector>

#include "cli/live_map.h"
#include "cli/object_request.h"

namespace skep::cli {

struct MapRequest : ObjectRequest {
  std::string types_file, key_type, value_type;  // --btf, --key-type, --value-type

  // The map that the words begin with; `rest` becomes those behind it. Its types are those asked for, else its own.
  Expected<LiveMap> open(Words& rest) const;
  // The same where behind the map there must be just the words that `names` names. Usage.
  Expected<LiveMap> open(Words& rest, std::initializer_list<const char*> names) const;
};

// Options of a command that shows or takes keys and values.
void add_type_options(CLI::App& command, MapRequest& request);

// Commands whose words are a map and what is to be done with it.
template <class Request>
Declared<Request> declare_map_command(CommandGroup& group, const std::string& name, const std::string& about,
                                      const std::vector<std::string>& words, Expected<> (*run)(Request&)) {
  return declare_command(group, name, about, words, run, [](const CLI::App& command) {
    return Expected<std::vector<std::string>>(given_words(command));
  });
}

#define MAP_COMMAND(name) void declare_map_##name(CommandGroup& group);
#include "cli/map_commands.def"
#undef MAP_COMMAND

// A failure of reading words or files.
std::unexpected<Failure> wrong_input(const Error& error);

}  // namespace skep::cli
