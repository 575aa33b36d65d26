#include "cli/perf_reader.h"

#include <fmt/format.h>
#include <cerrno>
#include <cstring>

#include "base/cpus.h"
#include "cli/map_failure.h"

namespace skep::cli {
namespace {

// What programs' bpf_perf_event_output writes to: an event of its own kind, each record a wake-up.
perf_event_attr output_event() {
  perf_event_attr attr{};
  attr.size = sizeof attr;
  attr.type = PERF_TYPE_SOFTWARE;
  attr.config = PERF_COUNT_SW_BPF_OUTPUT;
  attr.sample_type = PERF_SAMPLE_RAW;
  attr.sample_period = 1;
  attr.wakeup_events = 1;
  return attr;
}

}  // namespace

Expected<PerfReader> PerfReader::open(const LiveMap& map) {
  PerfReader reader;
  for (unsigned cpu = 0; cpu < std::min(possible_cpus(), map.info.max_entries); ++cpu) {
    auto ring = PerfRing::open(output_event(), cpu);
    if (!ring && ring.error() == ENODEV) continue;
    if (!ring) {
      return give_up(Exit::Unavailable, fmt::format("perf events cannot be opened: {}; they need CAP_PERFMON",
                                                    std::strerror(ring.error())));
    }
    std::uint32_t key = cpu;
    auto value = static_cast<std::uint32_t>(ring->event());
    reader.rings_.push_back({.cpu = cpu, .ring = *std::move(ring)});
    const long error = map.call(spec::Command::MapUpdateElem, reinterpret_cast<std::byte*>(&key),
                                reinterpret_cast<std::byte*>(&value));
    if (error < 0) return std::unexpected(element_failure(map, {.doing = Doing::Update, .key = bytes_of(key)}, error));
  }
  return reader;
}

std::size_t PerfReader::read(const std::function<bool(const Record& record)>& visit) {
  std::size_t visited = 0;
  for (Ring& one : rings_) {
    const bool more = one.ring.read([&](std::uint32_t type, Bytes body) {
      if (type == PERF_RECORD_LOST && body.size() >= 16)
        return visit({.cpu = one.cpu, .data = {}, .lost = load<std::uint64_t>(body.data() + 8)});
      if (type != PERF_RECORD_SAMPLE || body.size() < 4) return true;
      const std::size_t size = std::min<std::size_t>(load<std::uint32_t>(body.data()), body.size() - 4);
      ++visited;
      return visit({.cpu = one.cpu, .data = body.subspan(4, size), .lost = 0});
    });
    if (!more) break;
  }
  return visited;
}

}  // namespace skep::cli
