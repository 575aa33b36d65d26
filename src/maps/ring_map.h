// BPF_MAP_TYPE_RINGBUF: variable-size records in shared memory, laid out as libbpf's ring_buffer expects it. The data
// are twice as long as max_entries, so that a record that wraps is written linearly past the end (no double mapping;
// ARCHITECTURE, decision 2).
//
//   0                     consumer page: u64 position up to which everything was read
//   1 page                producer page: u64 position up to which everything is reserved
//   2 pages               data, 2 x max_entries bytes
//   behind                header page with the producers' lock
//
// Positions count bytes and never wrap; a record starts at data + (position & (max_entries - 1)) and is contiguous. A
// record's header is {u32 length with a busy and a discard bit, u32 thread that reserved it}. Room is what neither the
// consumer's position nor the oldest record still being written forbids, so that a consumer (whose page users write)
// cannot make producers overwrite each other. A record whose thread died is discarded by who waits for it: a producer
// for room or after kStalls others, a consumer. Threads: producers reserve under a lock and write without it; one
// consumer. Tested by: maps/ring_map_test.cc.
#pragma once

#include "base/errno.h"
#include "maps/map.h"
#include "maps/recipe.h"

namespace skep::maps {

class RingMap final : public Map {
 public:
  static Result<Plan> plan(const spec::MapSpec& spec, unsigned cpus);
  explicit RingMap(Parts&& parts);

  // The record's data (size bytes, 8-byte aligned), or null when there is no room. flags must be 0.
  std::byte* reserve(std::uint64_t size, std::uint64_t flags) noexcept;
  // flags: 0, BPF_RB_NO_WAKEUP (1), BPF_RB_FORCE_WAKEUP (2).
  void submit(std::byte* record, std::uint64_t flags) noexcept;
  void discard(std::byte* record, std::uint64_t flags) noexcept;
  int output(const std::byte* data, std::uint64_t size, std::uint64_t flags) noexcept;
  // flags: BPF_RB_AVAIL_DATA 0, RING_SIZE 1, CONS_POS 2, PROD_POS 3.
  std::uint64_t query(std::uint64_t flags) const noexcept;
  // The eventfd that polling substitutes for the map's descriptor: written on wake-up.
  int wakeup_fd() const noexcept { return wakeup_.get(); }
  // Hands complete records to `consume` and frees them; returns their count. For skep's own tools and tests.
  int drain(void (*consume)(void* context, Bytes record), void* context) noexcept;

  int update(const std::byte*, const std::byte*, std::uint64_t, unsigned) noexcept override { return -kNotSupported; }
  int erase(const std::byte*) noexcept override { return -kNotSupported; }
  int next_key(const std::byte*, std::byte*) noexcept override { return -kNotSupported; }
  std::optional<MutableBytes> value_at(const std::byte* address) noexcept override;
  std::size_t mmap_bytes() const noexcept override;
  Recipe recipe() const noexcept;

 private:
  using Ring = Recipe::Ring;
  struct Record {
    std::uint32_t length;
    std::uint32_t owner;
  };
  struct State {  // in Header::kind
    std::uint32_t lock;
    std::uint32_t stalls;   // records reserved since `pending` last moved
    std::uint64_t pending;  // position of the oldest record that is being written
  };

  // Where everything is. Functions of the data plane copy it: members of the map they would read again behind each
  // atomic access.
  struct Places {
    std::byte* region;
    State* state;
    std::uint64_t mask;

    std::uint64_t& consumer() const noexcept { return position_at(Ring::kConsumerAt); }
    std::uint64_t& producer() const noexcept { return position_at(Ring::kProducerAt); }
    std::uint64_t& position_at(std::int32_t offset) const noexcept {
      return *reinterpret_cast<std::uint64_t*>(data() + offset);
    }
    std::byte* data() const noexcept { return region + 2 * kPageSize; }
    Record& record_at(std::uint64_t position) const noexcept {
      return *reinterpret_cast<Record*>(data() + (position & mask & ~(Ring::kAlignment - 1)));
    }
  };

  static constexpr std::uint32_t kStalls = 64;

  bool discard_if_dead(Record& record) noexcept;
  std::uint64_t pass_the_dead(Places ring, std::uint64_t pending, std::uint64_t end) noexcept;
  static std::uint64_t oldest_busy(Places ring, std::uint64_t from, std::uint64_t end) noexcept;
  void commit(std::byte* record, std::uint64_t flags, std::uint32_t bits) noexcept;
  void wake() const noexcept;

  Places ring_;
  Fd wakeup_;
};

}  // namespace skep::maps
