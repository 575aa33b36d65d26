// BPF_MAP_TYPE_RINGBUF: variable-size records in shared memory, laid out as libbpf's ring_buffer expects it:
// consumer page, producer page, then the data, twice as long as max_entries so that a record that wraps is written
// linearly past the end (no double mapping; ARCHITECTURE, decision 2).
#pragma once

#include "maps/map.h"

namespace skep::maps {

class RingBuf : public Map {
 public:
  // The record's data (size bytes, 8-byte aligned), or null when there is no room. flags must be 0.
  virtual std::byte* reserve(std::uint64_t size, std::uint64_t flags) noexcept = 0;
  // flags: 0, BPF_RB_NO_WAKEUP (1), BPF_RB_FORCE_WAKEUP (2).
  virtual void submit(std::byte* record, std::uint64_t flags) noexcept = 0;
  virtual void discard(std::byte* record, std::uint64_t flags) noexcept = 0;
  virtual int output(const std::byte* data, std::uint64_t size, std::uint64_t flags) noexcept = 0;
  // flags: BPF_RB_AVAIL_DATA 0, RING_SIZE 1, CONS_POS 2, PROD_POS 3.
  virtual std::uint64_t query(std::uint64_t flags) const noexcept = 0;
  // The eventfd that polling substitutes for the map's descriptor: written on wake-up.
  virtual int wakeup_fd() const noexcept = 0;
  // Hands complete records to `consume` and frees them; returns their count. For skep's own tools and tests.
  virtual int drain(void (*consume)(void* context, Bytes record), void* context) noexcept = 0;

 protected:
  using Map::Map;
};

}  // namespace skep::maps
