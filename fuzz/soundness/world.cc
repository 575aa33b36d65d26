#include "soundness/world.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>

#include "verifier/testing_maps.h"

namespace skep::soundness {
namespace {

namespace testing = verifier::testing;
using spec::MapType;

constexpr std::size_t kLargestKey = 64, kLargestValue = 256;

spec::MapSpec spec_of(const testing::MapShape& shape) {
  spec::MapSpec spec;
  spec.type = shape.type;
  spec.key_size = shape.key_size;
  spec.value_size = shape.value_size;
  spec.max_entries = shape.max_entries;
  spec.flags = shape.flags;
  spec.name = shape.name.substr(0, 15);
  return spec;
}

bool holds_values(MapType type) {
  switch (type) {
    case MapType::Array:
    case MapType::PercpuArray:
    case MapType::Hash:
    case MapType::LruHash:
    case MapType::PercpuHash:
    case MapType::LpmTrie: return true;
    default: return false;
  }
}
bool is_array(MapType type) { return type == MapType::Array || type == MapType::PercpuArray; }

// What the verifier is told, as a hive tells it.
spec::MapView view_of(maps::Map& map) {
  spec::MapView view{.id = map.id(), .spec = map.spec()};
  const std::byte* value = map.direct_value();
  view.is_frozen = map.frozen();
  view.has_direct_value = value != nullptr;
  if (view.is_frozen && value != nullptr && (view.spec.flags & spec::kRdonlyProg) != 0)
    view.frozen = {value, view.spec.value_size};
  return view;
}

// The strings of "format" and the like, as the verifier's tests have them.
void freeze(maps::Map& map) {
  std::vector<std::byte> bytes(map.spec().value_size);
  for (std::size_t i = 0; i < std::size(testing::kStrings) && (i + 1) * testing::kStringBytes <= bytes.size(); ++i)
    std::memcpy(bytes.data() + i * testing::kStringBytes, testing::kStrings[i].data(), testing::kStrings[i].size());
  const std::uint32_t key = 0;
  map.update_all(reinterpret_cast<const std::byte*>(&key), bytes.data(), spec::kAny);
  map.freeze();
}

}  // namespace

World::World() : domain_(*maps::Domain::create()) {
  for (std::size_t i = 0; i < std::size(testing::kMapShapes); ++i) add(i);
}

void World::add(std::size_t index) {
  const testing::MapShape& shape = testing::kMapShapes[index];
  if (shape.content != testing::MapContent::Data) return;
  WorldMap made;
  const WorldMap* inner = shape.inner.empty() ? nullptr : find(shape.inner);
  if (!shape.inner.empty() && inner == nullptr) return;
  if (inner != nullptr) made.inner = inner->map->spec();
  auto created = maps::Map::create(*domain_, spec_of(shape), spec::MapId{static_cast<std::uint32_t>(by_id_.size() + 1)},
                                   inner != nullptr ? &made.inner : nullptr);
  if (!created) return;
  made.map = *std::move(created);
  if (inner != nullptr)
    for (std::uint32_t key = 0; key < shape.max_entries; key += 2)
      made.map->set_reference(reinterpret_cast<const std::byte*>(&key),
                              {static_cast<std::uint32_t>(inner->map->id()), 1}, spec::kAny, nullptr);
  const bool read_only = (shape.flags & spec::kRdonlyProg) != 0;
  if (read_only && shape.max_entries == 1 && shape.name != "read_only") freeze(*made.map);
  made.is_filled_anew = holds_values(shape.type) && !made.map->frozen();
  made.view = view_of(*made.map);
  by_id_.push_back(made.map.get());
  WorldMap& kept = maps_[std::string(shape.name)] = std::move(made);
  if (inner == nullptr) return;
  kept.inner_view = {.spec = kept.inner};
  kept.view.inner = &kept.inner_view;
}

const WorldMap* World::find(std::string_view name) const {
  const auto found = maps_.find(name);
  return found == maps_.end() ? nullptr : &found->second;
}

maps::Map* World::map(maps::Reference reference) noexcept {
  return reference.id == 0 || reference.id > by_id_.size() ? nullptr : by_id_[reference.id - 1];
}

void World::refill(const WorldMap& map, Draw& draw) {
  if (!map.is_filled_anew) return;
  const spec::MapSpec& spec = map.map->spec();
  alignas(8) std::array<std::byte, kLargestKey> key{};
  alignas(8) std::array<std::byte, kLargestValue> value;
  draw.fill(std::span(value).first(std::min<std::size_t>(spec.value_size, value.size())));
  const auto index = static_cast<std::uint32_t>(draw.below(std::max(spec.max_entries, 1U)));
  if (spec.type == MapType::LpmTrie) {
    const auto bits = static_cast<std::uint32_t>(draw.below(8 * (spec.key_size - 4) + 1));
    std::memcpy(key.data(), &bits, sizeof bits);
  } else {
    std::memcpy(key.data(), &index, std::min<std::size_t>(spec.key_size, sizeof index));
  }
  if (!is_array(spec.type) && draw.below(3) == 0)
    map.map->erase(key.data());
  else
    map.map->update(key.data(), value.data(), spec::kAny, 0);
}

}  // namespace skep::soundness
