#include "maps/map.h"

#include <sys/stat.h>

#include "base/errno.h"
#include "maps/arena_map.h"
#include "maps/array_map.h"
#include "maps/device_map.h"
#include "maps/domain.h"
#include "maps/empty_map.h"
#include "maps/hash_map.h"
#include "maps/kinds.h"
#include "maps/lpm_trie.h"
#include "maps/map_hash.h"
#include "maps/queue_map.h"
#include "maps/ring_map.h"
#include "maps/run_storage.h"
#include "maps/socket_map.h"
#include "maps/struct_map.h"
#include "maps/user_ring_map.h"
#include "maps/words.h"

namespace skep::maps {

using spec::MapSpec;
using spec::MapType;

// Makes handles of the class that a type's row names.
struct Maker {
  Domain& domain;
  MapSpec spec;
  spec::MapId id;

  template <class Class>
  Result<std::unique_ptr<Map>> create() {
    TRY(const Plan plan, Class::plan(spec, domain.cpus()));
    TRY(Region region, Region::create(plan, spec, id, domain.cpus()));
    return handle<Class>(std::move(region));
  }

  template <class Class>
  Result<std::unique_ptr<Map>> open(Fd memfd) {
    TRY(const Plan plan, Class::plan(spec, domain.cpus()));
    TRY(Region region, Region::open(std::move(memfd), plan, spec, domain.cpus()));
    id = spec::MapId{get(region.header().id)};
    TRY(std::unique_ptr<Map> map, handle<Class>(std::move(region)));
    map->fd_.reset();  // the mapping is enough, and descriptors may be few
    return map;
  }

 private:
  template <class Class>
  Result<std::unique_ptr<Map>> handle(Region region) {
    auto map = std::make_unique<Class>(Map::Parts{domain, spec, id, std::move(region)});
    if constexpr (requires { map->wakeup_fd(); })
      if (map->wakeup_fd() < 0) return fail(EMFILE, "ring buffer: no descriptor to wake its consumer with");
    return map;
  }
};

namespace {

// The spec as the map then shows it: the kernel adjusts a few values.
MapSpec adjusted(const MapSpec& spec, unsigned cpus) {
  MapSpec result = spec;
  result.flags &= ~std::uint32_t{spec::kRdonly | spec::kWronly};
  const Kind& kind = *find_kind(spec.type);
  if (kind.family == Family::Device) result.flags |= spec::kRdonlyProg;  // a lookup gives a program the device itself
  if (kind.has(kLru) && (spec.flags & spec::kNoCommonLru) != 0) {        // every CPU has the same share
    const std::uint64_t up = round_up(spec.max_entries, cpus);
    result.max_entries = static_cast<std::uint32_t>(up > UINT32_MAX ? up - cpus : up);
  }
  return result;
}

}  // namespace

bool fits(const MapSpec& inner, const MapSpec& candidate) noexcept {
  const bool same = inner.type == candidate.type && inner.key_size == candidate.key_size &&
                    inner.value_size == candidate.value_size && inner.flags == candidate.flags;
  // Programs' lookups in an inner array are compiled with its size, unless it says that sizes differ.
  const bool any_size = inner.type != MapType::Array || (inner.flags & spec::kInnerMap) != 0;
  return same && (any_size || inner.max_entries == candidate.max_entries);
}

Result<std::unique_ptr<Map>> Map::create(Domain& domain, const MapSpec& spec, spec::MapId id, const MapSpec* inner) {
  TRY_VOID(validate(spec, inner));
  Maker maker{domain, adjusted(spec, domain.cpus()), id};
  switch (spec.type) {
#define KIND(type, Class, ...) \
  case MapType::type: return maker.create<Class>();
#include "maps/kinds.def"
#undef KIND
    default: return fail(EINVAL, "maps of type " + std::string(name(spec.type)) + " cannot be created");
  }
}

Result<std::unique_ptr<Map>> Map::open(Domain& domain, Fd memfd, const MapSpec& spec) {
  if (find_kind(spec.type) == nullptr) return fail(EINVAL, "no such map type");
  Maker maker{domain, adjusted(spec, domain.cpus()), spec::MapId::None};
  switch (spec.type) {
#define KIND(type, Class, ...) \
  case MapType::type: return maker.open<Class>(std::move(memfd));
#include "maps/kinds.def"
#undef KIND
    default: return fail(EINVAL, "maps of type " + std::string(name(spec.type)) + " cannot be opened");
  }
}

std::byte* Map::lookup(const std::byte*, unsigned) noexcept { return nullptr; }
int Map::update(const std::byte*, const std::byte*, std::uint64_t, unsigned) noexcept { return -EINVAL; }
int Map::erase(const std::byte*) noexcept { return -EINVAL; }
int Map::push(const std::byte*, std::uint64_t) noexcept { return -kNotSupported; }
int Map::pop(std::byte*) noexcept { return -kNotSupported; }
int Map::peek(std::byte*) noexcept { return -kNotSupported; }
std::byte* Map::lookup_percpu(const std::byte*, unsigned) noexcept { return nullptr; }
std::size_t Map::syscall_value_size() const noexcept { return spec_.value_size; }
int Map::copy_value(const std::byte*, std::byte*, std::uint64_t) noexcept { return -kNotSupported; }
int Map::update_all(const std::byte* key, const std::byte* value, std::uint64_t flags) noexcept {
  return update(key, value, flags, 0);
}
int Map::take(const std::byte*, std::byte*, std::uint64_t) noexcept { return -kNotSupported; }
int Map::read_batch(Batch&, Then) noexcept { return -EOPNOTSUPP; }
int Map::next_key(const std::byte*, std::byte*) noexcept { return -EINVAL; }
Reference Map::reference(const std::byte*) noexcept { return {}; }
int Map::set_reference(const std::byte*, Reference, std::uint64_t, Reference*) noexcept { return -EINVAL; }
std::optional<MutableBytes> Map::value_at(const std::byte*) noexcept { return std::nullopt; }
std::byte* Map::direct_value() noexcept { return nullptr; }
std::size_t Map::mmap_bytes() const noexcept { return 0; }
std::int64_t Map::for_each(Visit, void*, unsigned) noexcept { return -EINVAL; }

bool Map::frozen() const noexcept { return get(region_.header().frozen) != 0; }

int Map::freeze() noexcept {
  if (frozen() || get(region_.header().writers) != 0) return -EBUSY;
  set(region_.header().frozen, 1U);
  return 0;
}

void Map::note_writer(int change) noexcept {
  std::atomic_ref(region_.header().writers).fetch_add(static_cast<std::uint32_t>(change));
}

std::size_t Map::memory_bytes() const noexcept {
  struct stat status{};
  return ::fstat(memfd(), &status) == 0 ? static_cast<std::size_t>(status.st_blocks) * 512 : 0;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winvalid-offsetof"  // a Map has virtual functions; where its members are is known
std::size_t Map::elements_offset() noexcept { return offsetof(Map, elements_); }
#pragma GCC diagnostic pop

}  // namespace skep::maps
