// bpf_user_ringbuf_drain: what users wrote into a user ring buffer, sample by sample to a function of the program.
#include "exec/dynptr.h"
#include "helpers/subjects.h"
#include "maps/user_ring_map.h"
#include "spec/uapi.h"

namespace skep::helpers {

namespace {

using exec::Dynptr;
using maps::UserRingMap;

constexpr std::int64_t kMostSamples = 128 * 1024;  // of a call

struct Drain {
  Call& call;
  Function function;
  std::byte* context;

  // Whether the program wants no more.
  bool show(MutableBytes sample) const noexcept {
    Dynptr dynptr;
    dynptr.data = sample.data();
    dynptr.size = static_cast<std::uint32_t>(sample.size()) & Dynptr::kMostBytes;
    const std::uint64_t stop =
        call.callback(call, static_cast<std::uint64_t>(function), reinterpret_cast<std::uint64_t>(&dynptr),
                      reinterpret_cast<std::uint64_t>(context), 0, 0, 0);
    return stop != 0 || call.stopped;
  }
};

// How many samples were looked at, or a negative errno; `seen` counts discarded ones as well.
std::int64_t drain(UserRingMap& ring, const Drain& to, std::int64_t& seen) noexcept {
  std::int64_t shown = 0;
  for (bool stops = false; seen < kMostSamples && !stops; ++seen) {
    MutableBytes sample;
    const int error = ring.oldest(sample);
    if (error == -ENODATA) break;
    if (error == -EAGAIN) continue;
    if (error != 0) return error;
    stops = to.show(sample);
    ring.release(sample.size());
    ++shown;
  }
  return shown;
}

std::int64_t user_ringbuf_drain(Call& call, maps::Map& map, Function function, std::byte* context,
                                std::uint64_t flags) noexcept {
  if ((flags & ~std::uint64_t{spec::kNoWakeup | spec::kForceWakeup}) != 0 || call.callback == nullptr) return -EINVAL;
  if (map.spec().type != spec::MapType::UserRingbuf) return -EINVAL;
  auto& ring = static_cast<UserRingMap&>(map);
  if (!ring.begin_drain()) return -EBUSY;
  std::int64_t seen = 0;
  const std::int64_t result = drain(ring, {call, function, context}, seen);
  ring.end_drain();
  if ((flags & spec::kForceWakeup) != 0 || ((flags & spec::kNoWakeup) == 0 && seen > 0)) ring.wake();
  return result;
}

}  // namespace

std::span<const Binding> user_ringbuf_bindings() noexcept {
  static constexpr Binding rows[] = {SKEP_BIND(user_ringbuf_drain)};
  return rows;
}

}  // namespace skep::helpers
