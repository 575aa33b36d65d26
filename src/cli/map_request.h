// What the commands of `skep map` share: whose maps, which map, what its types are, and how they are declared.
//
// A command is a row in map_commands.def, a structure of its options that begins with MapRequest, and a function that
// carries it out. Words are JSON or text, as docs/map-command.md says. Tested by: tests/map_command.
#pragma once

#include <CLI/App.hpp>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "cli/back_end.h"
#include "cli/command.h"
#include "cli/live_map.h"

namespace skep::cli {

struct MapRequest {
  BackEndOptions back_end;
  std::string types_file, key_type, value_type;  // --btf, --key-type, --value-type
  bool json = false;
  std::vector<std::string> words;  // a map takes one or two of them

  using Words = std::span<const std::string>;
  Expected<BpfCall> bpf() const { return open_back_end(back_end); }
  // The map that the words begin with; `rest` becomes those behind it. Its types are those asked for, else its own.
  Expected<LiveMap> open(Words& rest) const;
  // The same where behind the map there must be just the words that `names` names. Usage.
  Expected<LiveMap> open(Words& rest, std::initializer_list<const char*> names) const;
};

// Where commands are added to.
struct MapGroup {
  Program& program;
  CLI::App& app;
};

// Adds a command with the options of MapRequest; `words` are its positional arguments, as help calls them, and there is
// room for one more per object that they name.
CLI::App* add_map_command(MapGroup& group, const std::string& name, const std::string& about,
                          std::vector<std::string> words, MapRequest& request);
// Those of a command that shows or takes keys and values.
void add_type_options(CLI::App& command, MapRequest& request);
// What the positional arguments were.
std::vector<std::string> given_words(const CLI::App& command);

template <class Request>
struct Declared {
  CLI::App& command;
  Request& request;  // lives as long as the command
};

template <class Request>
Declared<Request> declare_map_command(MapGroup& group, const std::string& name, const std::string& about,
                                      std::vector<std::string> words, Expected<> (*run)(Request&)) {
  auto request = std::make_shared<Request>();
  CLI::App* command = add_map_command(group, name, about, std::move(words), *request);
  command->callback([&program = group.program, command, request, run] {
    request->words = given_words(*command);
    request->back_end.given = program.bpf;
    program.chosen = [request, run] {
      const Expected<> done = run(*request);
      return done ? Exit::Ok : report(done.error());
    };
  });
  return {*command, *request};
}

#define MAP_COMMAND(name) void declare_map_##name(MapGroup& group);
#include "cli/map_commands.def"
#undef MAP_COMMAND

// A failure of reading words or files.
std::unexpected<Failure> wrong_input(const Error& error);
// JSON in two columns, in colour on no terminal: the one way commands print it.
void print_json(const nlohmann::ordered_json& value);

}  // namespace skep::cli
