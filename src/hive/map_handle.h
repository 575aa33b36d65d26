// The elements of a map for callers in this process, past bpf(2): opened once from a descriptor, after which a call
// reads no attribute and asks no descriptor who it is.
//
// The answers are those of the element commands: the descriptor's access, freezing, locks and what programs' helpers
// own in a value are minded in the same way. A handle keeps its map and the hive's insides alive. Threads: any. Cost:
// that of the map's own operation and some nanoseconds. Tested by: hive/c_api_map_test.cc.
#pragma once

#include <memory>

#include "hive/hive.h"
#include "hive/request.h"

namespace skep::hive {

class MapHandle {
 public:
  // EBADF, EINVAL: no map of this hive. EOPNOTSUPP: a map whose values are other objects, or that has no elements;
  // these are bpf(2)'s business.
  static Result<std::unique_ptr<MapHandle>> open(const Hive& hive, int fd);

  const maps::Map& map() const noexcept { return *map_; }
  // Of a value as below: all CPUs' of a per-CPU map, rounded up to 8 each.
  std::size_t value_bytes() const noexcept { return value_bytes_; }

  // 0 or a negative errno, as the commands give it. Maps without keys take null for the key: lookup peeks (and asks a
  // bloom filter for what is in `value`), update pushes, take pops.
  int lookup(const std::byte* key, std::byte* value) noexcept;
  int update(const std::byte* key, const std::byte* value, std::uint64_t flags) noexcept;
  int erase(const std::byte* key) noexcept;
  int take(const std::byte* key, std::byte* value) noexcept;
  int next_key(const std::byte* key, std::byte* next) noexcept;
  // The value itself, as a program's lookup gives it: memory that stays valid while the handle lives, and that programs
  // read and write meanwhile. Null: absent, or a map whose values are not given away so.
  std::byte* value(const std::byte* key) noexcept;

 private:
  MapHandle(std::shared_ptr<State> state, Found<MapObject> found) noexcept;
  bool may_write() const noexcept { return access_ != Access::ReadOnly && !map_->frozen(); }

  std::shared_ptr<State> state_;  // outlives the reference
  Ref<MapObject> object_;
  maps::Map* map_;
  Access access_;
  bool plain_;    // values are data and nothing else
  bool keyless_;  // push, pop, peek
  std::size_t value_bytes_;
};

}  // namespace skep::hive
