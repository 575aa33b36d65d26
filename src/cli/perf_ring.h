// An event of perf_event_open(2) and the ring that its records come in.
#pragma once

#include <linux/perf_event.h>

#include <cstdint>
#include <expected>
#include <functional>
#include <utility>

#include "base/bytes.h"
#include "base/fd.h"

namespace skep::cli {

class PerfRing {
 public:
  // Of all that runs on a CPU. The error is an errno; ENODEV: the CPU is offline.
  static std::expected<PerfRing, int> open(const perf_event_attr& attr, unsigned cpu);
  PerfRing(PerfRing&& other) noexcept : event_(std::move(other.event_)), pages_(std::exchange(other.pages_, nullptr)) {}
  ~PerfRing();

  int event() const { return event_.get(); }
  // Takes the records that are there, each its PERF_RECORD_* and what stands behind the header, until `visit` returns
  // false; whether it never did.
  bool read(const std::function<bool(std::uint32_t type, Bytes body)>& visit);

 private:
  PerfRing(Fd event, std::byte* pages) : event_(std::move(event)), pages_(pages) {}
  Fd event_;
  std::byte* pages_;
};

}  // namespace skep::cli
