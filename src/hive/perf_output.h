// A perf event that receives what programs output, as perf_event_open(2) with PERF_COUNT_SW_BPF_OUTPUT makes it: what
// perf buffers are made of. Nobody needs the machine's events, or the right to have them, for a hive's programs.
//
// Its descriptor is a memory file, so that mmap(2) works on it as it is:
//
//   0                a perf_event_mmap_page, of which data_head and data_tail (and what says where the data are) mean
//   something 1 page           the ring: records as the kernel writes them, with lost records told behind kMostData a
//   PerfControl: what ioctl(2) and mmap(2) have said of the event
//
// Users can write all of it: the hive keeps its own head, and takes sizes only if they fit. The file position is a word
// as a map's (hive/descriptor.h). An event goes when no user has it open or mapped and no array holds it, which is
// looked for when another is made. Waiting: hive/wakeup.h.
//
// Threads: any; records of one event are written one after the other. Tested by: hive/perf_output_test.cc, tests/exec.
#pragma once

#include <linux/perf_event.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/mapping.h"
#include "base/result.h"
#include "hive/wakeup.h"

namespace skep::hive {

// What perf_event_open(2) was asked for; goes over the wire.
struct PerfOutputSpec {
  std::uint32_t is_disabled = 0;
  std::uint32_t counts_bytes = 0;  // `wakeup` is a number of bytes, else of records
  std::uint32_t wakeup = 0;        // after so many; 0: as the size of the ring has it
  std::uint32_t has_time = 0;      // records say when: PERF_SAMPLE_TIME
};

struct PerfControl {
  std::uint32_t is_enabled;
  std::uint32_t is_paused;
  std::uint32_t overwrites;  // mapped for reading only: nobody says what has been read
  std::uint32_t reserved;
  std::uint64_t data_bytes;  // of the ring; 0: not mapped
};

class PerfOutput {
 public:
  static constexpr std::uint64_t kMostData = std::uint64_t{1} << 26;

  // `id` and `tag` are what its descriptors say.
  static Result<std::unique_ptr<PerfOutput>> create(const PerfOutputSpec& spec, std::uint64_t tag, std::uint32_t id);

  // A descriptor for a user.
  Result<Fd> open() const;
  bool has_users() const noexcept;
  std::uint32_t id() const noexcept { return id_; }
  Wakeup wakeup() const noexcept { return {.event = wakeup_.get(), .waits_for = WaitsFor::Event, .bytes = 0}; }

  // Writes a record: 0; -EOPNOTSUPP while it is disabled; -ENOSPC when there is no room, or no ring; -E2BIG.
  int write(Bytes record) noexcept;

 private:
  PerfOutput(const PerfOutputSpec& spec, std::uint64_t tag, std::uint32_t id) : spec_(spec), tag_(tag), id_(id) {}
  perf_event_mmap_page& page() const noexcept;
  const PerfControl& control() const noexcept;
  std::uint64_t ring_bytes() noexcept;
  void put(Bytes bytes) noexcept;
  bool is_due() noexcept;

  const PerfOutputSpec spec_;
  const std::uint64_t tag_;
  const std::uint32_t id_;
  Fd memory_, wakeup_;
  Mapping mapping_;
  std::mutex mutex_;           // guards what follows
  std::uint64_t bytes_ = 0;    // of the ring as it was last seen
  std::uint64_t head_ = 0;     // behind the last record
  std::uint64_t lost_ = 0;     // records that no record has told of
  std::uint32_t records_ = 0;  // since the last wake-up
  std::uint64_t woken_ = 0;    // where head_ was about then
};

// The events of a hive.
class PerfOutputs {
 public:
  Result<Fd> open(const PerfOutputSpec& spec, std::uint64_t tag);
  // Of a descriptor; null when it is none's.
  std::shared_ptr<PerfOutput> find(int fd, std::uint64_t tag) noexcept;
  // Whether there have ever been any.
  bool any() const noexcept { return any_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> any_{false};
  std::mutex mutex_;  // guards what follows
  std::vector<std::shared_ptr<PerfOutput>> events_;
  std::uint32_t last_id_ = 0;
};

// ---- What ioctl(2) and mmap(2) on a descriptor of an event do, by whoever answers them: 0 or a negative errno

int enable_output(int fd, bool enabled) noexcept;
int pause_output(int fd, bool paused) noexcept;
// Makes ready for the mapping of `bytes` from `offset`, which the kernel then does.
int prepare_ring(int fd, std::uint64_t bytes, std::uint64_t offset, bool writable) noexcept;

}  // namespace skep::hive
