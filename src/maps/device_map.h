// DEVMAP, CPUMAP and DEVMAP_HASH: where XDP_REDIRECT may send packets.
//
// A value is {u32 interface or queue size, u32 id of a program or 0}; users may leave the second word out (value_size
// 4). What bpf(2) callers write there is a program's descriptor: the hive writes the program's id instead, and keeps
// the program alive with set_reference(), which adds the generation. Programs see only the value. Words of a slot:
// number, program's id, its generation. Tested by: maps/create_test.cc, maps/element_test.cc.
#pragma once

#include "maps/array_map.h"
#include "maps/hash_table.h"

namespace skep::maps {

class DeviceArray final : public IndexedMap {
 public:
  static Result<Plan> plan(const spec::MapSpec& spec, unsigned cpus);
  explicit DeviceArray(Parts&& parts);

  std::byte* lookup(const std::byte* key, unsigned cpu) noexcept override;
  int erase(const std::byte* key) noexcept override;
  int copy_value(const std::byte* key, std::byte* value, std::uint64_t flags) noexcept override;
  // Whether the interface exists is the hive's question. A number of 0 empties the slot.
  int update_all(const std::byte* key, const std::byte* value, std::uint64_t flags) noexcept override;
  Reference reference(const std::byte* key) noexcept override;
  int set_reference(const std::byte* key, Reference to, std::uint64_t flags, Reference* old) noexcept override;
  std::optional<MutableBytes> value_at(const std::byte* address) noexcept override;

 private:
  std::byte* slot(std::uint32_t index) const noexcept;
  int check_target(std::uint32_t index, std::uint32_t number, std::uint32_t program) const noexcept;

  bool cpus_are_targets_;
};

class DeviceHash final : public Map {
 public:
  static Result<Plan> plan(const spec::MapSpec& spec, unsigned cpus);
  explicit DeviceHash(Parts&& parts);

  std::byte* lookup(const std::byte* key, unsigned cpu) noexcept override;
  int erase(const std::byte* key) noexcept override;
  int copy_value(const std::byte* key, std::byte* value, std::uint64_t flags) noexcept override;
  int update_all(const std::byte* key, const std::byte* value, std::uint64_t flags) noexcept override;
  int next_key(const std::byte* key, std::byte* next) noexcept override;
  Reference reference(const std::byte* key) noexcept override;
  int set_reference(const std::byte* key, Reference to, std::uint64_t flags, Reference* old) noexcept override;
  std::optional<MutableBytes> value_at(const std::byte* address) noexcept override;

 private:
  HashTable table_;
};

}  // namespace skep::maps
