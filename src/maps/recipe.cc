#include "maps/recipe.h"

#include "maps/array_map.h"
#include "maps/hash_map.h"
#include "maps/lpm_trie.h"
#include "maps/ring_map.h"

namespace skep::maps {
namespace {

template <class... Kinds>
std::optional<Recipe> recipe_of(const Map& map) noexcept {
  std::optional<Recipe> found;
  const auto ask = [&](const auto* kind) {
    if (kind != nullptr) found = kind->recipe();
  };
  (ask(dynamic_cast<const Kinds*>(&map)), ...);
  return found;
}

}  // namespace

std::optional<Recipe> recipe(const Map& map) noexcept {
  return recipe_of<ArrayMap, PercpuArrayMap, ReferenceArray, HashMap, PercpuHashMap, LruHashMap, LruPercpuHashMap,
                   LpmTrie, RingMap>(map);
}

}  // namespace skep::maps
