// skep map lookup, update, delete, getnext, push, pop, peek: one element at a time.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/json_value.h"
#include "cli/map_dump.h"
#include "cli/map_failure.h"
#include "cli/map_reference.h"
#include "cli/map_request.h"
#include "cli/map_write.h"
#include "spec/commands.h"
#include "spec/map_spec.h"

namespace skep::cli {
namespace {

using spec::Command;
using Buffer = std::vector<std::byte>;

struct ReadRequest : MapRequest {
  bool per_cpu = false;
  bool lock = false;
  std::uint64_t flags() const { return lock ? std::uint64_t{spec::kLock} : 0; }
  PerCpuForm form() const { return per_cpu ? PerCpuForm::Each : PerCpuForm::Sum; }
};

struct UpdateRequest : MapRequest {
  bool any = false, no_exist = false, exist = false, lock = false;
  std::string format;
  std::uint64_t flags() const {
    const std::uint64_t kind = no_exist ? spec::kNoExist : exist ? spec::kExist : spec::kAny;
    return lock ? kind | spec::kLock : kind;
  }
};

Expected<Buffer> key_of(const LiveMap& map, const std::string& word) {
  if (map.shape.key_size == 0) {
    return give_up(Exit::Usage,
                   fmt::format("map {} ({}) has no keys; use push, pop and peek", map.shape.name, map.type_name()));
  }
  Result<Buffer> key = encode_key(map.shape, map.types.get(), parse_word(word));
  if (!key) return wrong_input(key.error());
  return *std::move(key);
}

Expected<Buffer> value_of(const LiveMap& map, const std::string& word) {
  Result<Buffer> value = encode_value(map.shape, map.types.get(), parse_word(word));
  if (!value) return wrong_input(value.error());
  return *std::move(value);
}

MapContents one_entry(const LiveMap& map) {
  return {.shape = map.shape, .elements = map.elements(), .entries = {}, .records = {}};
}

// The value alone for people, as JSON it is an entry of a map file.
void show(const ReadRequest& request, const LiveMap& map, const MapEntry& entry) {
  const nlohmann::ordered_json shown = entry_json(one_entry(map), map.types.get(), entry, request.form());
  if (request.json) return print_json(shown);
  for (const auto& [name, part] : shown.items()) {
    if (name == "values") {
      for (const auto& one : part) fmt::print("CPU {}: {}\n", one["cpu"].dump(), word_of(one["value"]));
    } else if (name != "key") {
      fmt::print("{}{}\n", name == "value" ? "" : name + " ", word_of(part));
    }
  }
}

Expected<> lookup(ReadRequest& request) {
  Words words;
  const auto map = request.open(words, {"KEY"});
  if (!map) return std::unexpected(map.error());
  auto key = key_of(*map, words[0]);
  if (!key) return std::unexpected(key.error());
  MapEntry entry{.key = *std::move(key), .value = Buffer(map->shape.update_bytes())};
  if (const long error = map->call(Command::MapLookupElem, entry.key.data(), entry.value.data(), request.flags());
      error < 0)
    return std::unexpected(
        element_failure(*map, {.doing = Doing::Lookup, .flags = request.flags(), .key = entry.key}, error));
  show(request, *map, entry);
  return {};
}

Expected<> erase(MapRequest& request) {
  Words words;
  const auto map = request.open(words, {"KEY"});
  if (!map) return std::unexpected(map.error());
  const auto key = key_of(*map, words[0]);
  if (!key) return std::unexpected(key.error());
  if (const long error = map->call(Command::MapDeleteElem, key->data(), nullptr); error < 0)
    return std::unexpected(element_failure(*map, {.doing = Doing::Delete, .key = *key}, error));
  return {};
}

// The key behind KEY, or the first.
Expected<> next(MapRequest& request) {
  Words words;
  const auto map = request.open(words);
  if (!map) return std::unexpected(map.error());
  if (words.size() > 1) return give_up(Exit::Usage, "expected MAP, and a KEY or none");
  Buffer key, following(map->shape.key_size);
  if (!words.empty()) {
    auto given = key_of(*map, words[0]);
    if (!given) return std::unexpected(given.error());
    key = *std::move(given);
  }
  if (const long error = map->call(Command::MapGetNextKey, key.empty() ? nullptr : key.data(), following.data());
      error < 0)
    return std::unexpected(element_failure(*map, {.doing = Doing::Next, .key = key}, error));
  const nlohmann::ordered_json shown = decode(map->types.get(), map->shape.key_type, following);
  if (request.json) print_json({{"key", shown}});
  if (!request.json) fmt::print("{}\n", word_of(shown));
  return {};
}

// MAP @FILE and MAP -: many at once.
Expected<> update_all(const UpdateRequest& request, const LiveMap& map, const std::string& word) {
  const std::string file = word == "-" ? word : word.substr(1);
  const auto written = write_file(map, file, request.format, request.flags());
  if (!written) return std::unexpected(written.error());
  if (request.json) print_json({{"written", *written}});
  return {};
}

Expected<> update(UpdateRequest& request) {
  Words words;
  const auto map = request.open(words);
  if (!map) return std::unexpected(map.error());
  if (words.size() == 1 && (words[0] == "-" || words[0].starts_with('@'))) return update_all(request, *map, words[0]);
  if (words.size() < 2) return give_up(Exit::Usage, "expected MAP KEY VALUE, MAP @FILE, or MAP - for standard input");
  const auto key = key_of(*map, words[0]);
  if (!key) return std::unexpected(key.error());
  Expected<ObjectValue> object = object_value(*map, words.subspan(1));  // keeps what the value names
  if (!object) return std::unexpected(object.error());
  if (!object->is_object && words.size() > 2) {
    return give_up(Exit::Usage,
                   fmt::format("\"{}\" is one word too many; put quotes around a key or value with blanks", words[2]));
  }
  auto value = object->is_object ? Expected<Buffer>(object->bytes) : value_of(*map, words[1]);
  if (!value) return std::unexpected(value.error());
  const std::uint64_t flags = request.flags();
  if (const long error = map->call(Command::MapUpdateElem, key->data(), value->data(), flags); error < 0)
    return std::unexpected(element_failure(*map, {.doing = Doing::Update, .flags = flags, .key = *key}, error));
  return {};
}

Expected<> push(UpdateRequest& request) {
  Words words;
  const auto map = request.open(words, {"VALUE"});
  if (!map) return std::unexpected(map.error());
  if (map->shape.key_size != 0) {
    return give_up(Exit::Usage, fmt::format("map {} ({}) has keys; use update", map->shape.name, map->type_name()));
  }
  auto value = value_of(*map, words[0]);
  if (!value) return std::unexpected(value.error());
  if (const long error = map->call(Command::MapUpdateElem, nullptr, value->data(), request.flags()); error < 0)
    return std::unexpected(element_failure(*map, {.doing = Doing::Push, .flags = request.flags()}, error));
  return {};
}

Expected<> show_front(ReadRequest& request, const LiveMap& map, Command command, Doing doing) {
  MapEntry entry{.key = {}, .value = Buffer(map.shape.update_bytes())};
  if (const long error = map.call(command, nullptr, entry.value.data()); error < 0)
    return std::unexpected(element_failure(map, {.doing = doing}, error));
  const nlohmann::ordered_json value = decode(map.types.get(), map.shape.value_type, entry.value);
  if (request.json) print_json({{"value", value}});
  if (!request.json) fmt::print("{}\n", word_of(value));
  return {};
}

Expected<> pop(ReadRequest& request) {
  Words words;
  const auto map = request.open(words, {});
  if (!map) return std::unexpected(map.error());
  return show_front(request, *map, Command::MapLookupAndDeleteElem, Doing::Pop);
}

// Of a queue or stack what pop would give; of a bloom filter whether it may hold VALUE.
Expected<> peek(ReadRequest& request) {
  Words words;
  const auto map = request.open(words);
  if (!map) return std::unexpected(map.error());
  if (map->elements() != Elements::Members) {
    if (!words.empty())
      return give_up(Exit::Usage, fmt::format("\"{}\": only bloom filters are asked for a value", words[0]));
    return show_front(request, *map, Command::MapLookupElem, Doing::Peek);
  }
  if (words.size() != 1) return give_up(Exit::Usage, "a bloom filter is asked for a value: expected MAP VALUE");
  auto value = value_of(*map, words[0]);
  if (!value) return std::unexpected(value.error());
  const long error = map->call(Command::MapLookupElem, nullptr, value->data());
  if (error < 0 && error != -ENOENT) return std::unexpected(element_failure(*map, {.doing = Doing::Peek}, error));
  if (request.json) print_json({{"possible", error == 0}});
  if (error == -ENOENT) {
    return request.json ? Expected<>{} : std::unexpected(element_failure(*map, {.doing = Doing::Peek}, error));
  }
  if (!request.json) fmt::print("the value may have been pushed\n");
  return {};
}

void add_read_options(CLI::App& command, ReadRequest& request) {
  add_type_options(command, request);
  command.add_flag("--per-cpu", request.per_cpu, "the values of each CPU, not their sum");
  command.add_flag("--lock", request.lock, "read with the value's bpf_spin_lock held");
}

}  // namespace

void declare_map_lookup(CommandGroup& group) {
  auto [command, request] =
      declare_map_command<ReadRequest>(group, "lookup", "Show the value of a key", {"MAP", "KEY"}, lookup);
  add_read_options(command, request);
}

void declare_map_update(CommandGroup& group) {
  auto [command, request] = declare_map_command<UpdateRequest>(group, "update", "Write a value, or those of a file",
                                                               {"MAP", "KEY", "VALUE"}, update);
  add_type_options(command, request);
  auto* any = command.add_flag("--any", request.any, "write whether or not the key is there (default)");
  auto* no_exist = command.add_flag("--noexist", request.no_exist, "only if the key is not there")->excludes(any);
  command.add_flag("--exist", request.exist, "only if the key is there")->excludes(any)->excludes(no_exist);
  command.add_flag("--lock", request.lock, "write with the value's bpf_spin_lock held");
  add_format_option(command, request.format);
  command.footer(
      "MAP @FILE writes the entries of a map file (docs/map-files.md) or of a CSV file, MAP - those of standard "
      "input.\n"
      "A per-CPU map's value goes to every CPU. The value of a map that holds objects names one: a map as MAP does, a\n"
      "program by id N or pinned PATH, a cgroup by its folder; that of a devmap may be an interface's name.");
}

void declare_map_delete(CommandGroup& group) {
  auto [command, request] =
      declare_map_command<MapRequest>(group, "delete", "Delete an element", {"MAP", "KEY"}, erase);
  add_type_options(command, request);
}

void declare_map_getnext(CommandGroup& group) {
  auto [command, request] = declare_map_command<MapRequest>(
      group, "getnext", "Show the key behind a key, in the map's own order; the first without KEY", {"MAP", "KEY"},
      next);
  add_type_options(command, request);
}

void declare_map_push(CommandGroup& group) {
  auto [command, request] = declare_map_command<UpdateRequest>(
      group, "push", "Put a value into a queue, a stack or a bloom filter", {"MAP", "VALUE"}, push);
  add_type_options(command, request);
  command.add_flag("--exist", request.exist, "when the map is full, lose the oldest value");
}

void declare_map_pop(CommandGroup& group) {
  auto [command, request] =
      declare_map_command<ReadRequest>(group, "pop", "Take the next value out of a queue or a stack", {"MAP"}, pop);
  add_type_options(command, request);
}

void declare_map_peek(CommandGroup& group) {
  auto [command, request] = declare_map_command<ReadRequest>(
      group, "peek", "Show what pop would give; ask a bloom filter for a value", {"MAP", "VALUE"}, peek);
  add_type_options(command, request);
}

}  // namespace skep::cli
