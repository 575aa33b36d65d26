// Elements of maps, from the program side.
#include "helpers/subjects.h"
#include "maps/domain.h"

namespace skep::helpers {

namespace {

using maps::Map;
using spec::MapType;

bool is_map_of_maps(const Map& map) noexcept {
  return map.spec().type == MapType::ArrayOfMaps || map.spec().type == MapType::HashOfMaps;
}

std::byte* inner_map(Call& call, Map& map, const std::byte* key) noexcept {
  const maps::Reference reference = map.reference(key);
  return reference.id == 0 ? nullptr : reinterpret_cast<std::byte*>(call.host.map(reference));
}

std::byte* map_lookup_elem(Call& call, Map& map, const std::byte* key) noexcept {
  return is_map_of_maps(map) ? inner_map(call, map, key) : map.lookup(key, call.cpu);
}
int map_update_elem(Call& call, Map& map, const std::byte* key, const std::byte* value, std::uint64_t flags) noexcept {
  return map.update(key, value, flags, call.cpu);
}
int map_delete_elem(Call&, Map& map, const std::byte* key) noexcept { return map.erase(key); }
int map_push_elem(Call&, Map& map, const std::byte* value, std::uint64_t flags) noexcept {
  return map.push(value, flags);
}
int map_pop_elem(Call&, Map& map, std::byte* value) noexcept { return map.pop(value); }
// A bloom filter is asked whether it holds the value that is passed in.
int map_peek_elem(Call&, Map& map, std::byte* value) noexcept { return map.peek(value); }
std::byte* map_lookup_percpu_elem(Call&, Map& map, const std::byte* key, std::uint32_t cpu) noexcept {
  return cpu < map.domain().cpus() ? map.lookup_percpu(key, cpu) : nullptr;
}

// The storage of the cgroup that the program runs for.
std::byte* get_local_storage(Call& call, Map& map, std::uint64_t) noexcept {
  const bool storage = map.spec().type == MapType::CgroupStorage || map.spec().type == MapType::PercpuCgroupStorage;
  return storage ? map.lookup(nullptr, call.cpu) : nullptr;
}

// What a walk over a map needs to call the program back.
struct Walk {
  Call& call;
  Map& map;
  Function function;
  std::byte* context;
};

std::uint64_t visit(void* walk, std::byte* key, std::byte* value) noexcept {
  const Walk& self = *static_cast<const Walk*>(walk);
  const std::uint64_t stop =
      self.call.callback(self.call, static_cast<std::uint64_t>(self.function),
                         reinterpret_cast<std::uint64_t>(&self.map), reinterpret_cast<std::uint64_t>(key),
                         reinterpret_cast<std::uint64_t>(value), reinterpret_cast<std::uint64_t>(self.context), 0);
  return stop != 0 || self.call.stopped ? 1 : 0;
}

// Calls back with (map, key, value, context) for each element until a callback returns 1: the number of calls.
std::int64_t for_each_map_elem(Call& call, Map& map, Function function, std::byte* context,
                               std::uint64_t flags) noexcept {
  if (flags != 0 || call.callback == nullptr) return -EINVAL;
  Walk walk{call, map, function, context};
  return map.for_each(visit, &walk, call.cpu);
}

}  // namespace

std::span<const Binding> map_bindings() noexcept {
  static constexpr Binding rows[] = {
      SKEP_BIND(map_lookup_elem),   SKEP_BIND(map_update_elem),        SKEP_BIND(map_delete_elem),
      SKEP_BIND(map_push_elem),     SKEP_BIND(map_pop_elem),           SKEP_BIND(map_peek_elem),
      SKEP_BIND(for_each_map_elem), SKEP_BIND(map_lookup_percpu_elem), SKEP_BIND(get_local_storage),
  };
  return rows;
}

}  // namespace skep::helpers
