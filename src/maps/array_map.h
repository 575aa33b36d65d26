// Arrays: every element exists from the start; keys are 4-byte indices.
//
// ArrayMap puts the values at offset 0 of its file and the header behind them, so that users can mmap the file of an
// mmapable array as they would the kernel's. PercpuArrayMap has one such array per CPU, each on cache lines of its own.
// ReferenceArray holds objects (programs, perf events, maps), one 8-byte word each, which only the hive writes.
// Threads: all operations at any time; values are copied word by word. Tested by: maps/array_map_test.cc.
#pragma once

#include "maps/map.h"
#include "maps/recipe.h"

namespace skep::maps {

// What the three have in common: indices and their order.
class IndexedMap : public Map {
 public:
  int next_key(const std::byte* key, std::byte* next) noexcept final;

 protected:
  using Map::Map;
  std::uint32_t index(const std::byte* key) const noexcept { return load<std::uint32_t>(key); }
  bool has(std::uint32_t index) const noexcept { return index < spec_.max_entries; }
  // Whether an existing element may be written with these flags: 0 or the errno.
  int check_update(std::uint32_t index, std::uint64_t flags) const noexcept;
};

class ArrayMap final : public IndexedMap {
 public:
  static Result<Plan> plan(const spec::MapSpec& spec, unsigned cpus);
  explicit ArrayMap(Parts&& parts);

  std::byte* lookup(const std::byte* key, unsigned cpu) noexcept override;
  int update(const std::byte* key, const std::byte* value, std::uint64_t flags, unsigned cpu) noexcept override;
  int copy_value(const std::byte* key, std::byte* value, std::uint64_t flags) noexcept override;
  std::optional<MutableBytes> value_at(const std::byte* address) noexcept override;
  std::byte* direct_value() noexcept override;
  std::size_t mmap_bytes() const noexcept override;
  std::int64_t for_each(Visit visit, void* context, unsigned cpu) noexcept override;
  Recipe recipe() const noexcept;

 private:
  std::byte* value(std::uint32_t index) const noexcept { return region_.data() + index * stride_; }

  std::size_t stride_;  // bytes from one value to the next
};

class PercpuArrayMap final : public IndexedMap {
 public:
  static Result<Plan> plan(const spec::MapSpec& spec, unsigned cpus);
  explicit PercpuArrayMap(Parts&& parts);

  std::byte* lookup(const std::byte* key, unsigned cpu) noexcept override;
  std::byte* lookup_percpu(const std::byte* key, unsigned cpu) noexcept override;
  int update(const std::byte* key, const std::byte* value, std::uint64_t flags, unsigned cpu) noexcept override;
  std::size_t syscall_value_size() const noexcept override;
  int copy_value(const std::byte* key, std::byte* value, std::uint64_t flags) noexcept override;
  int update_all(const std::byte* key, const std::byte* value, std::uint64_t flags) noexcept override;
  std::optional<MutableBytes> value_at(const std::byte* address) noexcept override;
  std::int64_t for_each(Visit visit, void* context, unsigned cpu) noexcept override;
  Recipe recipe() const noexcept;

 private:
  std::byte* value(std::uint32_t index, unsigned cpu) const noexcept {
    return region_.data() + kPageSize + cpu * cpu_bytes_ + index * stride_;
  }

  unsigned cpus_;
  std::size_t stride_;
  std::size_t cpu_bytes_;
};

class ReferenceArray : public IndexedMap {
 public:
  static Result<Plan> plan(const spec::MapSpec& spec, unsigned cpus);
  explicit ReferenceArray(Parts&& parts);

  int erase(const std::byte* key) noexcept override;
  std::size_t syscall_value_size() const noexcept override { return sizeof(std::uint32_t); }
  int copy_value(const std::byte* key, std::byte* value, std::uint64_t flags) noexcept override;  // the object's id
  int update_all(const std::byte* key, const std::byte* value, std::uint64_t flags) noexcept override;
  Reference reference(const std::byte* key) noexcept override;
  // {} as `to` deletes: -ENOENT when the slot is empty.
  int set_reference(const std::byte* key, Reference to, std::uint64_t flags, Reference* old) noexcept override;
  Recipe recipe() const noexcept;

 private:
  std::byte* slot(std::uint32_t index) const noexcept { return region_.data() + kPageSize + index * sizeof(Reference); }

  bool readable_;  // by system calls
};

}  // namespace skep::maps
