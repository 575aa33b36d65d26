// Hash maps: HASH, PERCPU_HASH and their LRU forms, over HashTable.
//
// Plain maps replace a whole element on update, so that a reader sees the old value or the new one. Per-CPU maps write
// the CPU's slot in place, and a new element's other slots are zero. Programs' lookups in an LRU map mark the
// element as used; system calls' do not. Storage maps (of tasks, sockets, inodes, cgroups) are plain maps whose keys,
// for all functions here, are Owners: who has a descriptor asks the hive whose it is (hive/owners.h). Tested by:
// maps/hash_map_test.cc, maps/model_test.cc.
#pragma once

#include "maps/hash_table.h"
#include "maps/map.h"
#include "maps/recipe.h"

namespace skep::maps {

enum class Slots : std::uint8_t { One, PerCpu };
enum class Full : std::uint8_t { Refuse, Evict };

template <Slots kSlots, Full kFull>
class HashMapOf final : public Map {
 public:
  static Result<Plan> plan(const spec::MapSpec& spec, unsigned cpus);
  explicit HashMapOf(Parts&& parts);

  std::byte* lookup(const std::byte* key, unsigned cpu) noexcept override;
  std::byte* lookup_percpu(const std::byte* key, unsigned cpu) noexcept override;
  int update(const std::byte* key, const std::byte* value, std::uint64_t flags, unsigned cpu) noexcept override;
  int erase(const std::byte* key) noexcept override;
  std::size_t syscall_value_size() const noexcept override;
  int copy_value(const std::byte* key, std::byte* value, std::uint64_t flags) noexcept override;
  int update_all(const std::byte* key, const std::byte* value, std::uint64_t flags) noexcept override;
  int take(const std::byte* key, std::byte* value, std::uint64_t flags) noexcept override;
  int next_key(const std::byte* key, std::byte* next) noexcept override;
  int read_batch(Batch& batch, Then then) noexcept override;
  std::optional<MutableBytes> value_at(const std::byte* address) noexcept override;
  std::int64_t for_each(Visit visit, void* context, unsigned cpu) noexcept override;
  Recipe recipe() const noexcept;

 private:
  // Whether the flags ask for the value's lock, and there is one. LRU and per-CPU maps have none.
  bool may_lock(std::uint64_t flags) const noexcept {
    return kSlots == Slots::One && kFull == Full::Refuse && (flags & spec::kLock) != 0 && value_lock_;
  }

  unsigned cpus_;
  std::size_t stride_;  // bytes from one CPU's value to the next
  HashTable table_;
};

using HashMap = HashMapOf<Slots::One, Full::Refuse>;
using PercpuHashMap = HashMapOf<Slots::PerCpu, Full::Refuse>;
using LruHashMap = HashMapOf<Slots::One, Full::Evict>;
using LruPercpuHashMap = HashMapOf<Slots::PerCpu, Full::Evict>;

}  // namespace skep::maps
