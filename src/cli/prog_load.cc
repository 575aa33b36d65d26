// skep prog load, loadall and pin: programs of an object file that stay, under paths.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

#include "abi/route.h"
#include "cli/background.h"
#include "cli/instance.h"
#include "cli/object_options.h"
#include "cli/pin_files.h"
#include "cli/prog.h"
#include "loader/object.h"
#include "spec/types.h"

namespace skep::cli {
namespace {

using Json = nlohmann::ordered_json;

struct LoadRequest : ObjectRequest {
  ObjectOptions object;
  std::string program, type, map_folder;
  std::vector<std::string> maps;  // NAME=MAP
};

// libbpf's calls, to a place.
class Forwarder final : public abi::Answerer {
 public:
  explicit Forwarder(const BpfCall& bpf) : bpf_(bpf) {}
  long bpf(int command, void* attr, unsigned size) noexcept override {
    spec::Attr ours{};
    const std::size_t known = std::min<std::size_t>(size, sizeof ours);
    std::memcpy(&ours, attr, known);
    const long result = bpf_(command, ours);
    std::memcpy(attr, &ours, known);
    return result;
  }

 private:
  const BpfCall& bpf_;
};

// "xdp", "sched_cls"; or a section's name, as bpftool takes it: "classifier", "cgroup/skb".
Expected<loader::SectionType> type_called(const std::string& text) {
  if (const auto type = spec::prog_type(text)) {
    const auto section = loader::type_of_section(text);
    return section && section->type == std::to_underlying(*type) ? *section
                                                                 : loader::SectionType{std::to_underlying(*type), 0};
  }
  if (const auto section = loader::type_of_section(text)) return *section;
  return give_up(Exit::Usage,
                 fmt::format("--type {}: expected a program type such as xdp, or the name of a section such "
                             "as tc or cgroup/skb; `skep feature` lists all types",
                             text));
}

Expected<> set_types(const LoadRequest& request, loader::Object& object) {
  if (request.type.empty()) return {};
  const auto type = type_called(request.type);
  if (!type) return std::unexpected(type.error());
  for (std::size_t i = 0; i < object.programs().size(); ++i) object.set_type(i, *type);
  return {};
}

Expected<> replace_maps(const LoadRequest& request, const BpfCall& bpf, loader::Object& object) {
  for (const std::string& text : request.maps) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos)
      return give_up(Exit::Usage,
                     fmt::format("--map {}: expected NAME=MAP, the object's map and the one to use", text));
    const std::vector<std::string> name{text.substr(equals + 1)};
    Words words = name;
    const auto reference = take_reference(ObjectKind::Map, words);
    if (!reference) return std::unexpected(reference.error());
    const auto map = open_object(bpf, ObjectKind::Map, *reference);
    if (!map) return std::unexpected(map.error());
    const auto index = object.find_map(text.substr(0, equals));
    if (!index) return give_up(Exit::Input, index.error().message);
    if (const auto done = object.reuse_map(*index, map->get()); !done)
      return give_up(Exit::Refused, fmt::format("--map {}: {}", text, done.error().message));
  }
  return {};
}

// Maps that ask to be shared by a path: those that are there already.
Expected<> find_pinned(const BpfCall& bpf, loader::Object& object, std::vector<std::size_t>& missing) {
  for (std::size_t i = 0; i < object.maps().size(); ++i) {
    const std::string& path = object.maps()[i].pin_path;
    if (path.empty()) continue;
    const auto map = pinned_at(bpf, path);
    if (!map && map.error().code != Exit::Absent) return std::unexpected(map.error());
    if (!map) missing.push_back(i);
    if (!map) continue;
    if (const auto done = object.reuse_map(i, map->get()); !done)
      return give_up(Exit::Refused, fmt::format("{}: {}", path, done.error().message));
  }
  object.leave_pins();
  return {};
}

enum class Which : std::uint8_t { One, All };

struct Loaded {
  loader::Object object;
  std::size_t first = 0;            // the program asked for
  std::vector<std::size_t> to_pin;  // maps that ask for it
};

Expected<Loaded> load_object(const LoadRequest& request, Which which, const BpfCall& bpf) {
  const auto file = object_bytes(request.words[0], request.object.cpu);
  if (!file) return std::unexpected(file.error());
  auto object = loader::Object::open(file->bytes, file->name, {.target_btf = request.object.btf});
  if (!object) return give_up(Exit::Input, object.error().message);
  if (Expected<> done = set_types(request, *object); !done) return std::unexpected(done.error());
  Result<std::size_t> first = 0;
  if (which == Which::One) first = object->find_program(request.program);
  if (!first) return give_up(Exit::Input, first.error().message);
  Forwarder forwarder(bpf);
  std::vector<std::size_t> to_pin;
  const Expected<> done = with_progress("loading " + file->name, [&]() -> Expected<> {
    const abi::Target target = abi::use(forwarder);
    if (Expected<> replaced = replace_maps(request, bpf, *object); !replaced) return replaced;
    if (Expected<> found = find_pinned(bpf, *object, to_pin); !found) return found;
    const Result<> loaded = object->load();
    return loaded ? Expected<>{} : give_up(Exit::Refused, loaded.error().message);
  });
  if (!done) return std::unexpected(done.error());
  return Loaded{*std::move(object), *first, std::move(to_pin)};
}

// What was pinned, for people and programs.
class Report {
 public:
  Expected<> add(const BpfCall& bpf, int fd, const std::string& path) {
    spec::ProgInfo info{};
    if (const long error = get_info(bpf, fd, info); error < 0)
      return std::unexpected(unavailable("the program cannot be looked at", error));
    list_.push_back({{"id", info.id},
                     {"name", text_in(info.name)},
                     {"type", spec::name(static_cast<spec::ProgType>(info.type))},
                     {"pinned", path}});
    return {};
  }
  void print(const ObjectRequest& request) const {
    if (request.json) return print_json(list_);
    for (const Json& one : list_)
      fmt::print("id {}: {} ({}), {}\n", one["id"].get<std::uint32_t>(), one["name"].get<std::string>(),
                 one["type"].get<std::string>(), one["pinned"].get<std::string>());
  }

 private:
  Json list_ = Json::array();
};

// Where the object asks for it, and --pinmaps FOLDER/NAME.
Expected<> pin_maps(const LoadRequest& request, const BackEnd& place, const Loaded& loaded, Pinning& pinning) {
  const loader::Object& object = loaded.object;
  for (const std::size_t i : loaded.to_pin)
    if (Expected<> done = pinning.pin(object.map_fd(i), object.maps()[i].pin_path); !done) return done;
  if (request.map_folder.empty()) return {};
  if (const Expected<> made = make_pin_folder(place, request.map_folder); !made) return made;
  for (std::size_t i = 0; i < object.maps().size(); ++i) {
    std::string name = object.maps()[i].name;
    std::ranges::replace(name, '.', '_');  // the file system has no dots
    if (const Expected<> done = pinning.pin(object.map_fd(i), request.map_folder + "/" + name); !done) return done;
  }
  return {};
}

template <Which which>
Expected<> load(LoadRequest& request) {
  const auto place = request.place();
  if (!place) return std::unexpected(place.error());
  const auto loaded = load_object(request, which, place->bpf);
  if (!loaded) return std::unexpected(loaded.error());
  const std::string& path = request.words[1];
  if (which == Which::All)
    if (const Expected<> made = make_pin_folder(*place, path); !made) return made;
  Pinning pinning(*place);
  Report report;
  for (std::size_t i = 0; i < loaded->object.programs().size(); ++i) {
    const int fd = loaded->object.program_fd(i);
    if (fd < 0 || (which == Which::One && i != loaded->first)) continue;
    const std::string at = which == Which::One ? path : path + "/" + loaded->object.programs()[i].name;
    if (const Expected<> done = pinning.pin(fd, at); !done) return done;
    if (const Expected<> done = report.add(place->bpf, fd, at); !done) return done;
  }
  if (const Expected<> done = pin_maps(request, *place, *loaded, pinning); !done) return done;
  pinning.keep();
  return report.print(request), Expected<>{};
}

Expected<> pin(ObjectRequest& request) { return request.pin(ObjectKind::Program); }

void add_load_options(CLI::App& command, LoadRequest& request) {
  command.add_option("--type", request.type, "what the programs are, whatever their sections say: xdp, tc ...")
      ->type_name("TYPE");
  command.add_option("--map", request.maps, "use an existing map in the place of the object's: NAME=MAP")
      ->type_name("NAME=MAP")
      ->expected(1)
      ->take_all();
  command.add_option("--pinmaps", request.map_folder, "pin the object's maps there, too, by their names")
      ->type_name("FOLDER");
  add_object_options(command, request.object);
}

}  // namespace

void declare_prog_load(CommandGroup& group) {
  auto [command, request] = declare_object_command<LoadRequest>(
      group, "load", "Load an object file and pin one of its programs", {"OBJECT", "PATH"}, load<Which::One>);
  command.add_option("--prog", request.program, "which program is pinned (default: the only one)")->type_name("NAME");
  add_load_options(command, request);
}

void declare_prog_loadall(CommandGroup& group) {
  auto [command, request] = declare_object_command<LoadRequest>(
      group, "loadall", "Load an object file and pin all of its programs by their names", {"OBJECT", "FOLDER"},
      load<Which::All>);
  add_load_options(command, request);
}

void declare_prog_pin(CommandGroup& group) {
  declare_object_command<ObjectRequest>(group, "pin", "Keep a program under a path", {"PROG", "PATH"}, pin);
}

}  // namespace skep::cli
