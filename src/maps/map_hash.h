// BPF_MAP_TYPE_HASH_OF_MAPS: keys to inner maps. The hive alone writes it; system calls read an inner map's id.
// Tested by: maps/reference_test.cc.
#pragma once

#include "maps/hash_table.h"
#include "maps/map.h"

namespace skep::maps {

class MapHash : public Map {
 public:
  static Result<Plan> plan(const spec::MapSpec& spec, unsigned cpus);
  explicit MapHash(Parts&& parts);

  int erase(const std::byte* key) noexcept override;
  int copy_value(const std::byte* key, std::byte* value, std::uint64_t flags) noexcept override;  // the inner map's id
  int update_all(const std::byte*, const std::byte*, std::uint64_t) noexcept override { return -EINVAL; }
  int next_key(const std::byte* key, std::byte* next) noexcept override;
  // Removing must be done one by one with set_reference(), which tells what was removed: -EOPNOTSUPP.
  int read_batch(Batch& batch, Then then) noexcept override;
  Reference reference(const std::byte* key) noexcept override;
  // {} as `to` deletes: -ENOENT when the key is absent.
  int set_reference(const std::byte* key, Reference to, std::uint64_t flags, Reference* old) noexcept override;

 private:
  HashTable table_;
};

}  // namespace skep::maps
