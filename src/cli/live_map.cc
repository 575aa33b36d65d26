#include "cli/live_map.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <optional>

#include "cli/fdinfo.h"
#include "cli/ring_reader.h"
#include "spec/commands.h"
#include "spec/types.h"

namespace skep::cli {

using spec::Command;

std::string_view map_type_name(std::uint32_t type) {
  const std::string_view text = spec::name(static_cast<spec::MapType>(type));
  return text.empty() ? "unknown" : text;
}

Expected<LiveMap> look_at_map(const BpfCall& bpf, Fd fd) {
  LiveMap map{.bpf = bpf, .fd = std::move(fd), .types = nullptr, .shape = {}};
  if (const long error = get_info(bpf, map.fd.get(), map.info); error < 0)
    return std::unexpected(unavailable("this is no map", error));
  map.types = types_by_id(bpf, map.info.btf_id);
  const std::string name = text_in(map.info.name);
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

Expected<LiveMap> open_map(const BpfCall& bpf, const Reference& name) {
  auto fd = open_object(bpf, ObjectKind::Map, name);
  if (!fd) return std::unexpected(fd.error());
  return look_at_map(bpf, *std::move(fd));
}

std::uint64_t memory_bytes(const LiveMap& map) {
  if (const auto bytes = fdinfo_number(map.fd.get(), "memlock:")) return *bytes;
  struct stat status{};
  return ::fstat(map.fd.get(), &status) == 0 ? static_cast<std::uint64_t>(status.st_blocks) * 512 : 0;
}

// An update without a key is refused before anything is touched: with EPERM when nobody may write, else for its key.
bool is_frozen(const LiveMap& map) { return map.call(Command::MapUpdateElem, nullptr, nullptr) == -EPERM; }

std::optional<Fill> known_fill(const spec::MapInfo& info) {
  const auto type = static_cast<spec::MapType>(info.type);
  if (type != spec::MapType::Array && type != spec::MapType::PercpuArray) return std::nullopt;
  return Fill{info.max_entries, info.max_entries};
}

bool is_counted(std::uint32_t type) {
  const Elements elements = elements_of(type);
  return elements != Elements::Keyless && elements != Elements::Members && elements != Elements::None;
}

std::optional<Fill> fill_of(const LiveMap& map) {
  if (const auto known = known_fill(map.info)) return known;
  Fill fill{.used = 0, .most = map.info.max_entries};
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
