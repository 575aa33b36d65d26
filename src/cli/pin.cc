// skep pin: names of objects in the file system of pins.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/object_request.h"
#include "cli/pin_files.h"
#include "cli/table.h"
#include "spec/info.h"

namespace skep::cli {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

struct Pin {
  std::string path;
  ObjectKind kind = ObjectKind::Map;
  std::uint32_t id = 0;
  std::string name;  // links have none
};

template <class Info>
Expected<Info> info_of(const BpfCall& bpf, int fd) {
  Info info{};
  if (const long error = get_info(bpf, fd, info); error < 0)
    return std::unexpected(unavailable("what is pinned cannot be looked at", error));
  return info;
}

Expected<Pin> look_at(const BpfCall& bpf, const std::string& path) {
  const auto fd = pinned_at(bpf, path);
  if (!fd) return std::unexpected(fd.error());
  Pin pin{.path = path, .kind = pinned_kind(bpf, fd->get()), .name = ""};
  const auto keep = [&](const auto& info) -> Expected<Pin> {
    if (!info) return std::unexpected(info.error());
    pin.id = info->id;
    if constexpr (requires { info->name; }) pin.name = text_in(info->name);
    return pin;
  };
  if (pin.kind == ObjectKind::Map) return keep(info_of<spec::MapInfo>(bpf, fd->get()));
  if (pin.kind == ObjectKind::Program) return keep(info_of<spec::ProgInfo>(bpf, fd->get()));
  return keep(info_of<spec::LinkInfo>(bpf, fd->get()));
}

// The files beneath a folder, as bpf(2) of the place calls them.
Expected<std::vector<std::string>> files_beneath(const BackEnd& place, const std::string& folder) {
  const std::string root = file_of(place, folder);
  std::error_code error;
  std::vector<std::string> paths;
  if (root == place.pins && !fs::exists(root, error)) return paths;  // nothing was ever pinned there
  for (fs::recursive_directory_iterator at(root, error), end; !error && at != end; at.increment(error))
    if (!at->is_directory(error)) paths.push_back(folder + at->path().string().substr(root.size()));
  if (error) return give_up(Exit::Absent, fmt::format("{}: {}; expected a folder of pins", folder, error.message()));
  std::ranges::sort(paths);
  return paths;
}

Expected<> list(ObjectRequest& request) {
  const auto place = request.place();
  if (!place) return std::unexpected(place.error());
  std::string folder = request.words.empty() ? kPins : request.words[0];
  while (folder.size() > 1 && folder.ends_with('/')) folder.pop_back();
  const auto paths = files_beneath(*place, folder);
  if (!paths) return std::unexpected(paths.error());
  Json described = Json::array();
  Table table({"path", "kind", "id", "name"});
  for (const std::string& path : *paths) {
    const auto pin = look_at(place->bpf, path);
    if (!pin) {
      if (pin.error().code != Exit::Absent) fmt::print(stderr, "{}\n", pin.error().message);
      continue;
    }
    described.push_back({{"path", path}, {"kind", command_name(pin->kind)}, {"id", pin->id}, {"name", pin->name}});
    table.add({path, std::string(noun(pin->kind)), std::to_string(pin->id), pin->name});
  }
  if (request.json) return print_json(described), Expected<>{};
  fmt::print("{}", described.empty() ? "no pins\n" : table.text());
  return {};
}

struct RemoveRequest : ObjectRequest {
  bool recursive = false;
};

Expected<> remove_folder(const BackEnd& place, const std::string& folder) {
  if (file_of(place, folder) == place.pins)
    return give_up(Exit::Usage, fmt::format("{}: stays; name what is in it", folder));
  const auto paths = files_beneath(place, folder);
  if (!paths) return std::unexpected(paths.error());
  for (const std::string& path : *paths)
    if (Expected<> done = remove_pin(place, path); !done) return done;
  std::error_code error;
  fs::remove_all(file_of(place, folder), error);  // empty folders
  return error ? give_up(Exit::Refused, fmt::format("{}: {}", folder, error.message())) : Expected<>{};
}

Expected<> remove(RemoveRequest& request) {
  const auto place = request.place();
  if (!place) return std::unexpected(place.error());
  for (const std::string& path : request.words) {
    std::error_code error;
    if (fs::is_directory(file_of(*place, path), error)) {
      if (!request.recursive)
        return give_up(Exit::Usage, fmt::format("{}: is a folder; --recursive removes all that is in it", path));
      if (Expected<> done = remove_folder(*place, path); !done) return done;
      continue;
    }
    if (const auto pin = pinned_at(place->bpf, path); !pin) return std::unexpected(pin.error());  // no other files
    if (Expected<> done = remove_pin(*place, path); !done) return done;
  }
  return {};
}

}  // namespace

void declare_pin(Program& program) {
  CLI::App* app = program.app.add_subcommand("pin", "List the names that keep objects, and remove them");
  app->require_subcommand(1);
  app->footer(
      "Maps, programs and links are kept by paths in a BPF file system, /sys/fs/bpf. A hive has its own there, which "
      "is a\nfolder of this machine. Objects are pinned by: skep map pin, skep prog pin, skep link pin.");
  CommandGroup group{.program = program, .app = *app};
  declare_object_command<ObjectRequest>(group, "ls", "List pins and what they keep", {"[FOLDER]"}, list);
  auto [command, request] = declare_object_command<RemoveRequest>(
      group, "rm", "Remove pins; what nobody else holds ends", {"PATH..."}, remove);
  command.add_flag("--recursive", request.recursive, "folders, too, with all that is in them");
}

}  // namespace skep::cli
