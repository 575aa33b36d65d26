#include "cli/map_failure.h"

#include <fmt/format.h>

#include <cstring>

#include "base/errno.h"
#include "cli/map_dump.h"
#include "spec/map_spec.h"
#include "spec/types.h"

namespace skep::cli {
namespace {

using spec::MapType;

bool has_index(const LiveMap& map) {
  switch (static_cast<MapType>(map.info.type)) {
    case MapType::Array:
    case MapType::PercpuArray:
    case MapType::ProgArray:
    case MapType::PerfEventArray:
    case MapType::CgroupArray:
    case MapType::ArrayOfMaps:
    case MapType::Devmap:
    case MapType::Cpumap:
    case MapType::Xskmap:
    case MapType::Sockmap:
    case MapType::ReuseportSockarray: return map.info.key_size == 4;
    default: return false;
  }
}

bool out_of_range(const LiveMap& map, Bytes key) {
  return has_index(map) && key.size() == 4 && load<std::uint32_t>(key.data()) >= map.info.max_entries;
}

std::string absent(const LiveMap& map, const Attempt& attempt) {
  switch (attempt.doing) {
    case Doing::Pop: return "the map is empty";
    case Doing::Peek: return map.elements() == Elements::Members ? "the value was never pushed" : "the map is empty";
    case Doing::Next: return "there is no further key";
    case Doing::Update: return "there is no element with this key to replace, which --exist asks for";
    default: return "there is no element with this key";
  }
}

std::string full(const LiveMap& map, const Attempt& attempt) {
  if (attempt.doing == Doing::Push)
    return fmt::format("the map is full: it holds {} values; pop some, or push with --exist to lose the oldest",
                       map.info.max_entries);
  return fmt::format("the map is full: it holds {} entries; delete some, or make it larger or an lru_hash",
                     map.info.max_entries);
}

std::string invalid(const LiveMap& map, const Attempt& attempt) {
  const auto type = static_cast<MapType>(map.info.type);
  if ((attempt.flags & spec::kLock) != 0)
    return "--lock needs values with a bpf_spin_lock, as the map's BTF says; these have none";
  if (type == MapType::LpmTrie && attempt.key.size() >= 4) {
    const auto bits = load<std::uint32_t>(attempt.key.data());
    const std::size_t most = (attempt.key.size() - 4) * 8;
    if (bits > most) return fmt::format("a prefix of {} bits, expected 0 to {}", bits, most);
  }
  if (attempt.doing == Doing::Delete && has_index(map)) return "elements of an array cannot be deleted; write zeros";
  if (attempt.doing == Doing::Update && map.elements() == Elements::Keyless) return "the map has no keys; use push";
  if (attempt.doing == Doing::Update && map.elements() == Elements::References)
    return "the object is none that this map takes, or differs from those it has";
  return "";
}

std::string why(const LiveMap& map, const Attempt& attempt, int code) {
  const std::string unsupported =
      fmt::format("maps of type {} do not know this command, or not for this map", map.type_name());
  switch (code) {
    case ENOENT: return absent(map, attempt);
    case EEXIST: return "there is an element with this key, which --noexist forbids";
    case E2BIG:
    case ENOSPC: return full(map, attempt);
    case EPERM:
      if (attempt.doing == Doing::Freeze) return "it is frozen already, or this descriptor is read-only";
      return is_frozen(map) ? "the map is frozen, or its descriptor is read-only: bpf(2) cannot change it any more"
                            : "this user may not";
    case EBUSY:
      return attempt.doing == Doing::Freeze ? "somebody has it mapped writable" : "another holds its lock; try again";
    case ENOTSUP:
    case kNotSupported: return unsupported;
    default: return "";
  }
}

std::string key_text(const LiveMap& map, Bytes key) {
  return key.empty() ? "" : fmt::format(", key {}", value_line(map.types.get(), map.shape.key_type, key));
}

}  // namespace

Failure element_failure(const LiveMap& map, const Attempt& attempt, long result) {
  const int code = static_cast<int>(-result);
  std::string reason = out_of_range(map, attempt.key)
                           ? fmt::format("out of range: the map has elements 0 to {}", map.info.max_entries - 1)
                       : code == EINVAL ? invalid(map, attempt)
                                        : why(map, attempt, code);
  if (reason.empty()) reason = fmt::format("bpf(2) answers: {}", std::strerror(code));
  return {code == ENOENT ? Exit::Absent : Exit::Refused,
          fmt::format("map {} ({}){}: {}", map.shape.name, map.type_name(), key_text(map, attempt.key), reason)};
}

}  // namespace skep::cli
