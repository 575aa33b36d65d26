// Ring buffer records. A map of another type is -EINVAL (null for reserve). A run may hold exec::Reservations::kMost
// records at a time; further reservations fail as if the buffer were full.
#include "maps/ring_map.h"

#include "helpers/bodies.h"
#include "helpers/subjects.h"

namespace skep::helpers {

namespace {

using maps::Map;
using maps::RingMap;

constexpr std::uint64_t kWakeupFlags = 3;  // BPF_RB_NO_WAKEUP | BPF_RB_FORCE_WAKEUP

RingMap* ring(Map& map) noexcept {
  return map.spec().type == spec::MapType::Ringbuf ? static_cast<RingMap*>(&map) : nullptr;
}

std::int64_t ringbuf_output(Call&, Map& map, Bytes data, std::uint64_t flags) noexcept {
  RingMap* const buffer = ring(map);
  if (buffer == nullptr || (flags & ~kWakeupFlags) != 0) return -EINVAL;
  return buffer->output(data.data(), data.size(), flags);
}

std::byte* ringbuf_reserve(Call& call, Map& map, std::uint64_t size, std::uint64_t flags) noexcept {
  RingMap* const buffer = ring(map);
  if (buffer == nullptr || flags != 0 || call.reservations.full()) return nullptr;
  std::byte* const record = buffer->reserve(size, flags);
  if (record != nullptr) call.reservations.add(record, &map);
  return record;
}

void ringbuf_submit(Call& call, std::byte* record, std::uint64_t flags) noexcept {
  if (Map* const map = call.reservations.take(record)) static_cast<RingMap*>(map)->submit(record, flags);
}
void ringbuf_discard(Call& call, std::byte* record, std::uint64_t flags) noexcept {
  if (Map* const map = call.reservations.take(record)) static_cast<RingMap*>(map)->discard(record, flags);
}

std::uint64_t ringbuf_query(Call&, Map& map, std::uint64_t what) noexcept {
  const RingMap* const buffer = ring(map);
  return buffer == nullptr ? 0 : buffer->query(what);
}

}  // namespace

void discard_reservations(Call& call) noexcept {
  while (!call.reservations.empty()) ringbuf_discard(call, call.reservations.last(), 0);
}

std::span<const Binding> ringbuf_bindings() noexcept {
  static constexpr Binding rows[] = {SKEP_BIND(ringbuf_output), SKEP_BIND(ringbuf_reserve), SKEP_BIND(ringbuf_submit),
                                     SKEP_BIND(ringbuf_discard), SKEP_BIND(ringbuf_query)};
  return rows;
}

}  // namespace skep::helpers
