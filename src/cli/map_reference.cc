#include "cli/map_reference.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <net/if.h>

#include <cstring>

#include "spec/types.h"

namespace skep::cli {
namespace {

using spec::MapType;

ObjectValue as_value(const LiveMap& map, std::uint32_t number, Fd object = {}) {
  ObjectValue value{
      .is_object = true, .bytes = std::vector<std::byte>(map.shape.update_bytes()), .object = std::move(object)};
  store(value.bytes.data(), number);
  return value;
}

Expected<ObjectValue> as_value(const LiveMap& map, Expected<Fd> object) {
  if (!object) return std::unexpected(object.error());
  const auto number = static_cast<std::uint32_t>(object->get());
  return as_value(map, number, *std::move(object));
}

Expected<Fd> object_named(const LiveMap& map, ObjectKind kind, Words words) {
  const auto name = take_reference(kind, words);
  if (!name) return std::unexpected(name.error());
  return open_object(map.bpf, kind, *name);
}

Expected<Fd> folder_named(const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd)
    return give_up(Exit::Input, fmt::format("{}: {}; expected the folder of a cgroup", path, std::strerror(errno)));
  return fd;
}

}  // namespace

Expected<ObjectValue> object_value(const LiveMap& map, std::span<const std::string> words) {
  switch (static_cast<MapType>(map.info.type)) {
    case MapType::ArrayOfMaps:
    case MapType::HashOfMaps: return as_value(map, object_named(map, ObjectKind::Map, words));
    case MapType::ProgArray: return as_value(map, object_named(map, ObjectKind::Program, words));
    case MapType::CgroupArray: return as_value(map, folder_named(words[0]));
    case MapType::Devmap:
    case MapType::DevmapHash: {
      const unsigned index = ::if_nametoindex(words[0].c_str());
      return index == 0 ? ObjectValue{} : as_value(map, index);
    }
    case MapType::PerfEventArray:
    case MapType::Xskmap:
    case MapType::Sockmap:
    case MapType::Sockhash:
    case MapType::ReuseportSockarray:
      return give_up(Exit::Unavailable,
                     fmt::format("map {} is of type {}: its values are descriptors of the process that makes them",
                                 map.shape.name, map.type_name()));
    default: return ObjectValue{};
  }
}

}  // namespace skep::cli
