// BPF_MAP_TYPE_USER_RINGBUF: variable-size samples that users write and programs read, laid out as libbpf's
// user_ring_buffer expects it: as a ring buffer (maps/ring_map.h), with the roles of its two positions swapped.
//
//   0                     consumer page: u64 position up to which programs have read; users map it to read
//   1 page                producer page: u64 position up to which samples are reserved
//   2 pages               data, 2 x max_entries bytes: a sample that wraps is written linearly past the end
//   behind                header page with the drainer's lock
//
// Users write what they like: a sample is taken only as far as the producer's position and the buffer reach, and its
// length is read once. Threads: producers agree among themselves; one program drains at a time, for another is -EBUSY.
// Tested by: maps/user_ring_map_test.cc.
#pragma once

#include "base/errno.h"
#include "maps/map.h"

namespace skep::maps {

class UserRingMap final : public Map {
 public:
  static Result<Plan> plan(const spec::MapSpec& spec, unsigned cpus);
  explicit UserRingMap(Parts&& parts);

  // Between the two nobody else reads. False: somebody does already.
  bool begin_drain() noexcept;
  void end_drain() noexcept;
  // The oldest sample. 0; -ENODATA: there is none that is ready; -EAGAIN: it was discarded, and is skipped; -EINVAL,
  // -E2BIG: what is there is no sample.
  int oldest(MutableBytes& sample) noexcept;
  // Frees the sample that oldest() gave, of `size` bytes.
  void release(std::size_t size) noexcept;
  // Tells producers that wait for room.
  void wake() noexcept;
  // The eventfd that polling substitutes for the map's descriptor: written by wake().
  int wakeup_fd() const noexcept { return wakeup_.get(); }

  int update(const std::byte*, const std::byte*, std::uint64_t, unsigned) noexcept override { return -kNotSupported; }
  int erase(const std::byte*) noexcept override { return -kNotSupported; }
  int next_key(const std::byte*, std::byte*) noexcept override { return -kNotSupported; }
  std::size_t mmap_bytes() const noexcept override;

 private:
  std::uint64_t& consumer() const noexcept { return *reinterpret_cast<std::uint64_t*>(region_.data()); }
  std::uint64_t& producer() const noexcept { return *reinterpret_cast<std::uint64_t*>(region_.data() + kPageSize); }
  std::byte* at(std::uint64_t position) const noexcept { return region_.data() + 2 * kPageSize + (position & mask_); }
  std::uint32_t& drainer() const noexcept { return *reinterpret_cast<std::uint32_t*>(region_.header().kind); }

  std::uint64_t mask_;
  Fd wakeup_;
};

}  // namespace skep::maps
