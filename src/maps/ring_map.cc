#include "maps/ring_map.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <bit>
#include <cstddef>

#include "base/thread.h"
#include "maps/lock.h"
#include "maps/words.h"

namespace skep::maps {
namespace {

constexpr std::uint32_t kBusy = Recipe::Ring::kBusy, kDiscarded = Recipe::Ring::kDiscarded;
constexpr std::size_t kHeaderBytes = Recipe::Ring::kRecordHeader;
constexpr std::uint64_t kMostBytes = UINT32_MAX / 4;  // in a record
constexpr std::uint64_t kNoWakeup = Recipe::Ring::kNoWakeup, kForceWakeup = Recipe::Ring::kForceWakeup;

std::uint64_t record_bytes(std::uint64_t length) noexcept {
  return Recipe::Ring::record_bytes(length & ~std::uint64_t{kBusy | kDiscarded});
}

}  // namespace

Result<Plan> RingMap::plan(const spec::MapSpec& spec, unsigned) {
  Plan plan;
  plan.header_at = 2 * kPageSize + 2 * std::size_t{spec.max_entries};
  plan.bytes = plan.header_at + kPageSize;
  plan.resident = plan.bytes;
  return plan;
}

RingMap::RingMap(Parts&& parts)
    : Map(std::move(parts)),
      ring_{region_.data(), reinterpret_cast<State*>(region_.header().kind),
            std::uint64_t{std::bit_floor(spec_.max_entries)} - 1},
      wakeup_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

// The position of the first record from `from` on that is being written; `end` when there is none.
std::uint64_t RingMap::oldest_busy(Places ring, std::uint64_t from, std::uint64_t end) noexcept {
  if (end - from > ring.mask) return from;  // somebody scribbled, or there is nothing
  while (from < end) {
    const std::uint32_t length = get(ring.record_at(from).length);
    if ((length & kBusy) != 0) break;
    from += record_bytes(length);
  }
  return from;
}

// Whether a record that is being written never will be, as its thread is no more: it is discarded then.
bool RingMap::discard_if_dead(Record& record) noexcept {
  std::uint32_t length = get(record.length);
  if ((length & kBusy) == 0 || owner_exists(get(record.owner))) return false;
  return std::atomic_ref(record.length).compare_exchange_strong(length, (length & ~kBusy) | kDiscarded);
}

// Under the lock: from the oldest record that is being written to the oldest that somebody writes.
std::uint64_t RingMap::pass_the_dead(Places ring, std::uint64_t pending, std::uint64_t end) noexcept {
  const std::uint64_t before = pending;
  while (pending < end && discard_if_dead(ring.record_at(pending))) pending = oldest_busy(ring, pending, end);
  if (pending != before) wake();
  return pending;
}

std::byte* RingMap::reserve(std::uint64_t size, std::uint64_t flags) noexcept {
  const Places ring = ring_;
  if (flags != 0 || size > kMostBytes || record_bytes(size) > ring.mask + 1) return nullptr;
  const std::uint64_t consumed = get(ring.consumer());
  const Guard guard(ring.state->lock);
  if (!guard) return nullptr;
  const std::uint64_t begin = get(ring.producer());
  const std::uint64_t end = begin + record_bytes(size);
  const std::uint64_t before = get(ring.state->pending);
  std::uint64_t pending = oldest_busy(ring, before, begin);
  const std::uint32_t stalls = pending == before && pending != begin ? get(ring.state->stalls) + 1 : 0;
  const bool full = end - consumed > ring.mask || end - pending > ring.mask;
  if (full || stalls >= kStalls) pending = pass_the_dead(ring, pending, begin);
  set(ring.state->stalls, stalls % kStalls);
  set(ring.state->pending, pending);
  if (end - consumed > ring.mask || end - pending > ring.mask) return nullptr;
  Record& record = ring.record_at(begin);
  set(record.owner, this_owner());
  set(record.length, static_cast<std::uint32_t>(size) | kBusy);
  set(ring.producer(), end);
  return reinterpret_cast<std::byte*>(&record) + kHeaderBytes;
}

void RingMap::commit(std::byte* bytes, std::uint64_t flags, std::uint32_t bits) noexcept {
  const Places ring = ring_;
  const auto offset = static_cast<std::uint64_t>(bytes - ring.data()) - kHeaderBytes;
  if (offset > ring.mask || offset % 8 != 0) return;  // not a record of this ring buffer
  Record& record = ring.record_at(offset);
  const std::uint32_t length = get(record.length) & ~kBusy;
  if ((flags & (kNoWakeup | kForceWakeup)) == kNoWakeup) return set(record.length, length | bits);
  // Readers go to sleep after a look at the record, we look whether they have come this far after its release.
  std::atomic_ref(record.length).exchange(length | bits);
  const bool waiting = (std::atomic_ref(ring.consumer()).load() & ring.mask) == offset;
  if ((flags & kForceWakeup) != 0 || (waiting && (flags & kNoWakeup) == 0)) wake();
}

void RingMap::wake() const noexcept {
  const std::uint64_t one = 1;
  // A counter that is already at its end wakes as well.
  [[maybe_unused]] const ssize_t written = ::write(wakeup_.get(), &one, sizeof one);
}

void RingMap::submit(std::byte* record, std::uint64_t flags) noexcept { commit(record, flags, 0); }
void RingMap::discard(std::byte* record, std::uint64_t flags) noexcept { commit(record, flags, kDiscarded); }

int RingMap::output(const std::byte* from, std::uint64_t size, std::uint64_t flags) noexcept {
  if ((flags & ~(kNoWakeup | kForceWakeup)) != 0) return -EINVAL;
  std::byte* record = reserve(size, 0);
  if (record == nullptr) return -EAGAIN;
  std::memcpy(record, from, size);
  commit(record, flags, 0);
  return 0;
}

std::uint64_t RingMap::query(std::uint64_t flags) const noexcept {
  switch (flags) {
    case 0: return get(ring_.producer()) - get(ring_.consumer());
    case 1: return ring_.mask + 1;
    case 2: return get(ring_.consumer());
    case 3: return get(ring_.producer());
    default: return 0;
  }
}

int RingMap::drain(void (*consume)(void* context, Bytes record), void* context) noexcept {
  int count = 0;
  std::uint64_t position = get(ring_.consumer());
  while (position < get(ring_.producer())) {
    discard_if_dead(ring_.record_at(position));
    const std::uint32_t length = get(ring_.record_at(position).length);
    if ((length & kBusy) != 0 || record_bytes(length) > ring_.mask + 1) break;
    if ((length & kDiscarded) == 0) {
      consume(context, {reinterpret_cast<std::byte*>(&ring_.record_at(position)) + kHeaderBytes, length});
      ++count;
    }
    position += record_bytes(length);
    std::atomic_ref(ring_.consumer()).store(position);
  }
  return count;
}

// Records that are being written, from the oldest on.
std::optional<MutableBytes> RingMap::value_at(const std::byte* address) noexcept {
  std::uint64_t position = get(ring_.state->pending);
  const std::uint64_t end = get(ring_.producer());
  for (std::uint64_t steps = 0; position < end && steps <= ring_.mask / kHeaderBytes; ++steps) {
    const std::uint32_t length = get(ring_.record_at(position).length);
    std::byte* begin = reinterpret_cast<std::byte*>(&ring_.record_at(position)) + kHeaderBytes;
    const std::size_t size = length & ~kBusy;
    if ((length & kBusy) != 0 && size <= ring_.mask && address >= begin && address < begin + size)
      return MutableBytes(begin, size);
    position += record_bytes(length);
  }
  return std::nullopt;
}

Recipe RingMap::recipe() const noexcept {
  static_assert(sizeof(Record) == Ring::kRecordHeader && offsetof(Record, owner) == Ring::kOwnerAt);
  static_assert(offsetof(State, lock) == 0 && offsetof(State, stalls) == Ring::kStallsAt);
  static_assert(offsetof(State, pending) == Ring::kPendingAt);
  static_assert(-Ring::kConsumerAt == std::int64_t{2 * kPageSize} && -Ring::kProducerAt == std::int64_t{kPageSize});
  Recipe recipe;
  recipe.map = this;
  recipe.ring = {.data = reinterpret_cast<std::uint64_t>(ring_.data()),
                 .state = reinterpret_cast<std::uint64_t>(ring_.state),
                 .mask = static_cast<std::uint32_t>(ring_.mask),
                 .wake = [](const Map* map) noexcept { static_cast<const RingMap*>(map)->wake(); }};
  return recipe;
}

std::size_t RingMap::mmap_bytes() const noexcept { return 2 * kPageSize + 2 * std::size_t{spec_.max_entries}; }

}  // namespace skep::maps
