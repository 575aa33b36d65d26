#include "cli/live_map.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <fstream>
#include <optional>

#include "cli/ring_reader.h"
#include "spec/commands.h"
#include "spec/types.h"

namespace skep::cli {
namespace {

using spec::Command;

std::uint64_t address(const void* at) noexcept { return reinterpret_cast<std::uintptr_t>(at); }
long call(const BpfCall& bpf, Command command, spec::Attr& attr) { return bpf(static_cast<int>(command), attr); }

std::optional<std::uint32_t> number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return text.empty() || error != std::errc() || end != text.data() + text.size() ? std::nullopt : std::optional(value);
}

Expected<MapName> by_id(const std::string& text) {
  const auto id = number(text);
  if (!id) return give_up(Exit::Usage, fmt::format("id {}: expected a number", text));
  return MapName{.by = MapName::By::Id, .text = text, .id = *id};
}

template <class Info>
long get_info(const BpfCall& bpf, int fd, Info& info) {
  spec::Attr attr{};
  attr.info = {.bpf_fd = static_cast<std::uint32_t>(fd), .info_len = sizeof info, .info = address(&info)};
  return call(bpf, Command::ObjGetInfoByFd, attr);
}

std::string name_in(const spec::MapInfo& info) { return {info.name, ::strnlen(info.name, sizeof info.name)}; }

// The types of a map; null when it has none, or when they cannot be had: they are a convenience.
std::unique_ptr<btf::Btf> types_of(const BpfCall& bpf, std::uint32_t btf_id) {
  spec::Attr attr{};
  attr.id.btf_id = btf_id;
  const Fd fd(btf_id == 0 ? -1 : static_cast<int>(call(bpf, Command::BtfGetFdById, attr)));
  spec::BtfInfo about{};
  if (!fd || get_info(bpf, fd.get(), about) < 0) return nullptr;
  std::vector<std::byte> bytes(about.btf_size);
  about = {};
  about.btf = address(bytes.data());
  about.btf_size = static_cast<std::uint32_t>(bytes.size());
  if (get_info(bpf, fd.get(), about) < 0) return nullptr;
  Result<btf::Btf> types = btf::Btf::parse(bytes);
  return types ? std::make_unique<btf::Btf>(*std::move(types)) : nullptr;
}

Expected<Fd> by_path(const BpfCall& bpf, const std::string& path) {
  spec::Attr attr{};
  attr.obj.pathname = address(path.c_str());
  const long fd = call(bpf, Command::ObjGet, attr);
  if (fd == -ENOENT) return give_up(Exit::Absent, fmt::format("{}: nothing is pinned there", path));
  if (fd < 0) {
    return give_up(Exit::Unavailable,
                   fmt::format("{}: cannot be opened as a pinned map: {}", path, std::strerror(static_cast<int>(-fd))));
  }
  return Fd(static_cast<int>(fd));
}

// Names are cut to 15 characters when a map is made.
bool is_called(const spec::MapInfo& info, std::string_view name) {
  return name_in(info) == name.substr(0, spec::kObjNameBytes - 1);
}

struct Candidate {
  Fd fd;
  spec::MapInfo info{};
};

Expected<Fd> by_name(const BpfCall& bpf, const std::string& name) {
  const auto ids = map_ids(bpf);
  if (!ids) return std::unexpected(ids.error());
  std::vector<Candidate> found;
  std::vector<std::string> names;
  for (const std::uint32_t id : *ids) {
    auto fd = map_by_id(bpf, id);
    Candidate candidate;
    if (!fd || get_info(bpf, fd->get(), candidate.info) < 0) continue;
    candidate.fd = *std::move(fd);
    if (name_in(candidate.info).empty()) continue;
    names.push_back(name_in(candidate.info));
    if (is_called(candidate.info, name)) found.push_back(std::move(candidate));
  }
  if (found.size() == 1) return std::move(found[0].fd);
  if (found.empty()) {
    std::ranges::sort(names);
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return give_up(Exit::Absent, names.empty()
                                     ? fmt::format("no map \"{}\"; there are none with a name", name)
                                     : fmt::format("no map \"{}\"; there are: {}", name, fmt::join(names, ", ")));
  }
  std::string list;
  for (const Candidate& one : found) {
    list += fmt::format("\n  id {}: {}, key {} bytes, value {} bytes, {} entries", one.info.id,
                        spec::name(static_cast<spec::MapType>(one.info.type)), one.info.key_size, one.info.value_size,
                        one.info.max_entries);
  }
  return give_up(Exit::Usage,
                 fmt::format("{} maps are called \"{}\"; choose one by its id:{}", found.size(), name, list));
}

// The number behind "memlock:" in /proc/self/fdinfo, which the kernel's maps have.
std::optional<std::uint64_t> accounted(int fd) {
  std::ifstream file(fmt::format("/proc/self/fdinfo/{}", fd));
  for (std::string word; file >> word;) {
    std::uint64_t bytes = 0;
    if (word == "memlock:" && file >> bytes) return bytes;
  }
  return std::nullopt;
}

}  // namespace

std::string_view LiveMap::type_name() const {
  const std::string_view text = spec::name(static_cast<spec::MapType>(info.type));
  return text.empty() ? "unknown" : text;
}

Failure unavailable(std::string_view what, long error) {
  const int code = static_cast<int>(-error);
  std::string hint;
  if (code == EPERM) hint = "; the kernel's maps need root (CAP_BPF, CAP_SYS_ADMIN), a hive's need `skep exec`";
  if (code == ENOSYS) hint = "; there is no bpf(2) here: use a hive, by `skep exec`";
  return {Exit::Unavailable, fmt::format("{}: {}{}", what, std::strerror(code), hint)};
}

Expected<MapName> take_map_name(std::span<const std::string>& words) {
  if (words.empty()) return give_up(Exit::Usage, "expected a map: NAME, /PATH, id N, name NAME or pinned PATH");
  const std::string& first = words[0];
  if (words.size() > 1 && (first == "id" || first == "name" || first == "pinned")) {
    const std::string& second = words[1];
    words = words.subspan(2);
    if (first == "id") return by_id(second);
    return MapName{.by = first == "name" ? MapName::By::Name : MapName::By::Path, .text = second};
  }
  words = words.subspan(1);
  if (const auto id = number(first)) return MapName{.by = MapName::By::Id, .text = first, .id = *id};
  return MapName{.by = first.find('/') == std::string::npos ? MapName::By::Name : MapName::By::Path, .text = first};
}

Expected<std::vector<std::uint32_t>> map_ids(const BpfCall& bpf) {
  std::vector<std::uint32_t> ids;
  for (std::uint32_t last = 0;; last = ids.back()) {
    spec::Attr attr{};
    attr.id.start_id = last;
    const long error = call(bpf, Command::MapGetNextId, attr);
    if (error == -ENOENT) return ids;
    if (error < 0) return std::unexpected(unavailable("the maps cannot be listed", error));
    ids.push_back(attr.id.next_id);
  }
}

Expected<Fd> map_by_id(const BpfCall& bpf, std::uint32_t id) {
  spec::Attr attr{};
  attr.id.map_id = id;
  const long fd = call(bpf, Command::MapGetFdById, attr);
  if (fd == -ENOENT) return give_up(Exit::Absent, fmt::format("no map has the id {}; `skep map list` shows all", id));
  if (fd < 0) return std::unexpected(unavailable(fmt::format("map {} cannot be opened", id), fd));
  return Fd(static_cast<int>(fd));
}

Expected<LiveMap> look_at_map(const BpfCall& bpf, Fd fd) {
  LiveMap map{.bpf = bpf, .fd = std::move(fd), .types = nullptr, .shape = {}};
  if (const long error = get_info(bpf, map.fd.get(), map.info); error < 0)
    return std::unexpected(unavailable("this is no map", error));
  map.types = types_of(bpf, map.info.btf_id);
  const std::string name = name_in(map.info);
  map.shape = {.name = name.empty() ? std::to_string(map.info.id) : name,
               .key_size = map.info.key_size,
               .value_size = map.info.value_size,
               .key_type = map.types ? map.info.btf_key_type_id : 0,
               .value_type = map.types ? map.info.btf_value_type_id : 0,
               .cpus = value_cpus(map.info.type),
               .type = map.info.type,
               .max_entries = map.info.max_entries};
  return map;
}

Expected<LiveMap> open_map(const BpfCall& bpf, const MapName& name) {
  Expected<Fd> fd = name.by == MapName::By::Id     ? map_by_id(bpf, name.id)
                    : name.by == MapName::By::Path ? by_path(bpf, name.text)
                                                   : by_name(bpf, name.text);
  if (!fd) return std::unexpected(fd.error());
  return look_at_map(bpf, *std::move(fd));
}

std::uint64_t memory_bytes(const LiveMap& map) {
  if (const auto bytes = accounted(map.fd.get())) return *bytes;
  struct stat status{};
  return ::fstat(map.fd.get(), &status) == 0 ? static_cast<std::uint64_t>(status.st_blocks) * 512 : 0;
}

// An update without a key is refused before anything is touched: with EPERM when nobody may write, else for its key.
bool is_frozen(const LiveMap& map) { return map.call(Command::MapUpdateElem, nullptr, nullptr) == -EPERM; }

std::optional<Fill> fill_of(const LiveMap& map) {
  Fill fill{.used = 0, .most = map.info.max_entries};
  const auto type = static_cast<spec::MapType>(map.info.type);
  if (type == spec::MapType::Array || type == spec::MapType::PercpuArray) return Fill{fill.most, fill.most};
  switch (map.elements()) {
    case Elements::Values:
    case Elements::PerCpu:
    case Elements::References: {
      const Result<> counted = for_each_element(map.bpf, map.fd.get(), map.shape, [&](Bytes, Bytes) {
        ++fill.used;
        return true;
      });
      return counted ? std::optional(fill) : std::nullopt;
    }
    case Elements::Records: {
      const auto ring = RingReader::open(map.fd.get(), map.info.max_entries, RingReader::Use::Look);
      return ring ? std::optional(Fill{ring->waiting(), fill.most}) : std::nullopt;
    }
    case Elements::Keyless:
    case Elements::Members:
    case Elements::None: break;
  }
  return std::nullopt;
}

}  // namespace skep::cli
