// Elements of maps, from the program side.
#include <memory>
#include <new>

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

bool can_be_walked(MapType type) noexcept {
  switch (type) {
    case MapType::Array:
    case MapType::PercpuArray:
    case MapType::Hash:
    case MapType::PercpuHash:
    case MapType::LruHash:
    case MapType::LruPercpuHash: return true;
    default: return false;
  }
}

// Room for a key and the one after it. Long keys are the exception that allocates.
class KeyPair {
 public:
  explicit KeyPair(std::size_t size) noexcept {
    if (2 * size <= sizeof small_) {
      first = small_;
    } else {
      large_.reset(new (std::nothrow) std::byte[2 * size]);
      first = large_.get();
    }
    second = first == nullptr ? nullptr : first + size;
  }
  std::byte* first = nullptr;
  std::byte* second = nullptr;

 private:
  alignas(8) std::byte small_[512];
  std::unique_ptr<std::byte[]> large_;
};

// Calls back with (map, key, value, context) for each element until a callback returns 1. The element after is found
// before the callback runs, which may delete the current one. Elements that appear meanwhile may be missed, those that
// move may be seen twice, but there are never more calls than the map may have elements.
std::int64_t for_each_map_elem(Call& call, Map& map, Function function, std::byte* context,
                               std::uint64_t flags) noexcept {
  if (flags != 0 || !can_be_walked(map.spec().type) || call.callback == nullptr) return -EINVAL;
  KeyPair keys(map.spec().key_size);
  if (keys.first == nullptr) return -ENOMEM;
  std::int64_t count = 0;
  bool more = map.next_key(nullptr, keys.first) == 0;
  while (more && count < map.spec().max_entries) {
    std::byte* const value = map.lookup(keys.first, call.cpu);
    more = map.next_key(keys.first, keys.second) == 0;
    if (value != nullptr) {
      ++count;
      const std::uint64_t stop =
          call.callback(call, static_cast<std::uint64_t>(function), reinterpret_cast<std::uint64_t>(&map),
                        reinterpret_cast<std::uint64_t>(keys.first), reinterpret_cast<std::uint64_t>(value),
                        reinterpret_cast<std::uint64_t>(context), 0);
      if (stop != 0 || call.stopped) break;
    }
    std::swap(keys.first, keys.second);
  }
  return count;
}

}  // namespace

std::span<const Binding> map_bindings() noexcept {
  static constexpr Binding rows[] = {
      SKEP_BIND(map_lookup_elem),   SKEP_BIND(map_update_elem),        SKEP_BIND(map_delete_elem),
      SKEP_BIND(map_push_elem),     SKEP_BIND(map_pop_elem),           SKEP_BIND(map_peek_elem),
      SKEP_BIND(for_each_map_elem), SKEP_BIND(map_lookup_percpu_elem),
  };
  return rows;
}

}  // namespace skep::helpers
