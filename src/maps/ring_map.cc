#include "maps/ring_map.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <bit>

#include "maps/lock.h"
#include "maps/words.h"

namespace skep::maps {
namespace {

constexpr std::uint32_t kBusy = 1U << 31;
constexpr std::uint32_t kDiscarded = 1U << 30;
constexpr std::size_t kHeaderBytes = 8;
constexpr std::uint64_t kMostBytes = UINT32_MAX / 4;  // in a record
constexpr std::uint64_t kNoWakeup = 1;
constexpr std::uint64_t kForceWakeup = 2;
constexpr std::size_t kPagesBeforeData = 3;  // as the kernel counts them, its own page included

std::uint64_t record_bytes(std::uint64_t length) noexcept {
  return round_up((length & ~std::uint64_t{kBusy | kDiscarded}) + kHeaderBytes, 8);
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
    : RingBuf(std::move(parts)),
      mask_(std::uint64_t{std::bit_floor(spec_.max_entries)} - 1),
      wakeup_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

// Moves the position of the oldest busy record forward, at most to `end`.
std::uint64_t RingMap::advance_pending(std::uint64_t end) noexcept {
  std::uint64_t pending = get(state().pending);
  for (std::uint64_t steps = 0; pending < end && steps <= mask_ / kHeaderBytes; ++steps) {
    const std::uint32_t length = get(record_at(pending).length);
    if ((length & kBusy) != 0) break;
    pending += record_bytes(length);
  }
  set(state().pending, pending);
  return pending;
}

std::byte* RingMap::reserve(std::uint64_t size, std::uint64_t flags) noexcept {
  if (flags != 0 || size > kMostBytes || record_bytes(size) > mask_ + 1) return nullptr;
  const std::uint64_t consumed = get(consumer());
  const Guard guard(state().lock);
  if (!guard) return nullptr;
  const std::uint64_t begin = get(producer());
  const std::uint64_t end = begin + record_bytes(size);
  if (end - consumed > mask_ || end - advance_pending(begin) > mask_) return nullptr;
  Record& record = record_at(begin);
  auto* bytes = reinterpret_cast<std::byte*>(&record);
  set(record.page, static_cast<std::uint32_t>(static_cast<std::size_t>(bytes - data()) / kPageSize + kPagesBeforeData));
  set(record.length, static_cast<std::uint32_t>(size) | kBusy);
  set(producer(), end);
  return bytes + kHeaderBytes;
}

void RingMap::commit(std::byte* bytes, std::uint64_t flags, std::uint32_t bits) noexcept {
  const auto offset = static_cast<std::uint64_t>(bytes - data()) - kHeaderBytes;
  if (offset > mask_ || offset % 8 != 0) return;  // not a record of this ring buffer
  Record& record = record_at(offset);
  const std::uint32_t length = get(record.length) & ~kBusy;
  if ((flags & (kNoWakeup | kForceWakeup)) == kNoWakeup) return set(record.length, length | bits);
  // Readers go to sleep after a look at the record, we look whether they have come this far after its release.
  std::atomic_ref(record.length).exchange(length | bits);
  const bool waiting = (std::atomic_ref(consumer()).load() & mask_) == offset;
  if ((flags & kForceWakeup) != 0 || (waiting && (flags & kNoWakeup) == 0)) wake();
}

void RingMap::wake() noexcept {
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
  submit(record, flags);
  return 0;
}

std::uint64_t RingMap::query(std::uint64_t flags) const noexcept {
  switch (flags) {
    case 0: return get(producer()) - get(consumer());
    case 1: return mask_ + 1;
    case 2: return get(consumer());
    case 3: return get(producer());
    default: return 0;
  }
}

int RingMap::drain(void (*consume)(void* context, Bytes record), void* context) noexcept {
  int count = 0;
  std::uint64_t position = get(consumer());
  while (position < get(producer())) {
    const std::uint32_t length = get(record_at(position).length);
    if ((length & kBusy) != 0 || record_bytes(length) > mask_ + 1) break;
    if ((length & kDiscarded) == 0) {
      consume(context, {reinterpret_cast<std::byte*>(&record_at(position)) + kHeaderBytes, length});
      ++count;
    }
    position += record_bytes(length);
    std::atomic_ref(consumer()).store(position);
  }
  return count;
}

// Records that are being written, from the oldest on.
std::optional<MutableBytes> RingMap::value_at(const std::byte* address) noexcept {
  std::uint64_t position = get(state().pending);
  const std::uint64_t end = get(producer());
  for (std::uint64_t steps = 0; position < end && steps <= mask_ / kHeaderBytes; ++steps) {
    const std::uint32_t length = get(record_at(position).length);
    std::byte* begin = reinterpret_cast<std::byte*>(&record_at(position)) + kHeaderBytes;
    const std::size_t size = length & ~kBusy;
    if ((length & kBusy) != 0 && size <= mask_ && address >= begin && address < begin + size)
      return MutableBytes(begin, size);
    position += record_bytes(length);
  }
  return std::nullopt;
}

std::size_t RingMap::mmap_bytes() const noexcept { return 2 * kPageSize + 2 * std::size_t{spec_.max_entries}; }

}  // namespace skep::maps
