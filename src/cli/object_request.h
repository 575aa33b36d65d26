// What the commands on objects of a hive or the kernel share (`skep map`, `prog`, `link`, `btf`, `pin`): whose objects,
// and how the commands are declared.
//
// A command is a row in NAME_commands.def, a structure of its options that begins with ObjectRequest, and a function
// that carries it out. Its words are declared by the names that help shows: PROG, MAP, LINK and BTF are references
// (cli/reference.h), "[PROG]" may be missing, "PATH..." is one or more. Options may also be given as bpftool has them,
// words behind the others: "pinmaps DIR" is --pinmaps DIR. Tested by: tests/map_command, tests/prog_command.
#pragma once

#include <CLI/App.hpp>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "cli/back_end.h"
#include "cli/command.h"
#include "cli/live_object.h"
#include "cli/reference.h"

namespace skep::cli {

struct ObjectRequest {
  BackEndOptions back_end;
  bool json = false;
  std::vector<std::string> words;

  Expected<BackEnd> place() const { return open_back_end(back_end); }
  Expected<BpfCall> bpf() const;
  // The object that the words name.
  Expected<Fd> open(const BpfCall& bpf, ObjectKind kind) const;
  // Pins the object that the words name; the last is the path.
  Expected<> pin(ObjectKind kind) const;
};

// What `look` (bpf, descriptor -> Expected) says of the object that the words name, or of all where there are none.
template <class Look>
auto look_at_objects(const ObjectRequest& request, const BpfCall& bpf, ObjectKind kind, Look look)
    -> Expected<std::vector<typename decltype(look(bpf, 0))::value_type>> {
  std::vector<typename decltype(look(bpf, 0))::value_type> found;
  const auto add = [&](const Fd& fd) -> Expected<> {
    auto seen = look(bpf, fd.get());
    if (!seen) return std::unexpected(seen.error());
    found.push_back(*std::move(seen));
    return {};
  };
  if (request.words.empty()) {
    if (Expected<> done = for_each_object(bpf, kind, add); !done) return std::unexpected(done.error());
    return found;
  }
  const auto fd = request.open(bpf, kind);
  if (!fd) return std::unexpected(fd.error());
  if (Expected<> done = add(*fd); !done) return std::unexpected(done.error());
  return found;
}

// Where commands are added to.
struct CommandGroup {
  Program& program;
  CLI::App& app;
};

// Adds a command with the options of ObjectRequest and its words as positional arguments, with room for more.
CLI::App* add_object_command(CommandGroup& group, const std::string& name, const std::string& about,
                             const std::vector<std::string>& words, ObjectRequest& request);
// What the positional arguments were.
std::vector<std::string> given_words(const CLI::App& command);
// The same, of which those behind the words that `names` stands for have become options. Usage: some are missing or too
// many.
Expected<std::vector<std::string>> settled_words(CLI::App& command, const std::vector<std::string>& names);

template <class Request>
struct Declared {
  CLI::App& command;
  Request& request;  // lives as long as the command
};

// `read` makes the command's words of what was given; `run` carries it out.
template <class Request, class Read>
Declared<Request> declare_command(CommandGroup& group, const std::string& name, const std::string& about,
                                  const std::vector<std::string>& words, Expected<> (*run)(Request&),
                                  const Read& read) {
  auto request = std::make_shared<Request>();
  CLI::App* command = add_object_command(group, name, about, words, *request);
  command->callback([&program = group.program, command, request, run, read] {
    Expected<std::vector<std::string>> given = read(*command);
    if (!given) {
      program.chosen = [failure = given.error()] { return report(failure); };
      return;
    }
    request->words = *std::move(given);
    request->back_end.given = {.bpf = program.bpf, .pins = program.pins};
    program.chosen = [request, run] {
      const Expected<> done = run(*request);
      return done ? Exit::Ok : report(done.error());
    };
  });
  return {*command, *request};
}

// A command all of whose words are wanted, but for those in brackets.
template <class Request>
Declared<Request> declare_object_command(CommandGroup& group, const std::string& name, const std::string& about,
                                         const std::vector<std::string>& words, Expected<> (*run)(Request&)) {
  const auto declared = declare_command(group, name, about, words, run,
                                        [words](CLI::App& command) { return settled_words(command, words); });
  for (const std::string& word : words) declared.command.get_option(word)->required(!word.starts_with('['));
  return declared;
}

// JSON in two columns, in colour on no terminal: the one way commands print it.
void print_json(const nlohmann::ordered_json& value);

}  // namespace skep::cli
