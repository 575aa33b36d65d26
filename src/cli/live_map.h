// A map that exists, in a hive or in the kernel: what bpf(2) says about it, and its types. Tested by:
// tests/map_command.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "btf/btf.h"
#include "cli/exit_codes.h"
#include "cli/map_reader.h"
#include "cli/reference.h"
#include "spec/commands.h"
#include "spec/info.h"

namespace skep::cli {

std::string_view map_type_name(std::uint32_t type);

struct LiveMap {
  BpfCall bpf;
  Fd fd;
  spec::MapInfo info{};
  std::unique_ptr<btf::Btf> types;  // null: none
  MapShape shape;                   // shape.name: as messages call it, "blocklist" or "12"

  std::string_view type_name() const { return map_type_name(info.type); }
  Elements elements() const { return elements_of(info.type); }
  // Of one element; `value` has shape.update_bytes().
  long call(spec::Command command, const std::byte* key, std::byte* value, std::uint64_t flags = 0) const {
    return element_call(bpf, command, fd.get(), key, value, flags);
  }
};

// Absent: no such map. Usage: several have this name, which the message lists. Unavailable: bpf(2) refuses.
Expected<LiveMap> open_map(const BpfCall& bpf, const Reference& name);
Expected<LiveMap> look_at_map(const BpfCall& bpf, Fd fd);
// Bytes of memory it takes now: what the kernel accounts for it, or those of its memory file.
std::uint64_t memory_bytes(const LiveMap& map);
// Whether bpf(2) may not write it any more.
bool is_frozen(const LiveMap& map);

// How many elements there are: entries of a hash, all of an array, taken slots of an array of objects, bytes waiting in
// a ring buffer. Nothing where bpf(2) does not tell (queues, bloom filters).
struct Fill {
  std::uint64_t used = 0, most = 0;
};
std::optional<Fill> fill_of(const LiveMap& map);
// The same as far as no element need be looked at, and whether one must be.
std::optional<Fill> known_fill(const spec::MapInfo& info);
bool is_counted(std::uint32_t type);

}  // namespace skep::cli
