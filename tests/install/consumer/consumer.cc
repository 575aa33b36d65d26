// The smallest user of an installed skep: a hive, a map of it with types, and the version.
#include <cstdint>
#include <cstdio>

#include "skep/map.h"
#include "skep/skep.h"
#include "skep/version.h"

int main() {
  constexpr std::uint32_t kHash = 1;  // BPF_MAP_TYPE_HASH
  skep_hive* hive = skep_hive_new(SKEP_ENGINE_INTERP);
  if (hive == nullptr) return std::perror("hive"), 1;
  auto map = skep::Map<std::uint32_t, std::uint64_t>::create(hive, {.type = kHash, .max_entries = 8, .name = "visits"});
  if (!map) return std::fprintf(stderr, "%s\n", map.error().message.c_str()), 1;
  if (map->update(7, 42) || map->lookup(7) != 42U) return std::fputs("the map does not keep its value\n", stderr), 1;
  skep_hive_free(hive);
  std::puts(SKEP_VERSION);
}
