#include "maps/user_ring_map.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <bit>

#include "maps/lock.h"
#include "maps/words.h"
#include "spec/uapi.h"

namespace skep::maps {
namespace {

using spec::kRingbufBusyBit, spec::kRingbufDiscardBit, spec::kRingbufHdrBytes;

constexpr std::uint32_t kMostInSample = (1U << 24) - 1;  // what a dynptr can hold

std::uint64_t with_header(std::uint64_t size) noexcept { return round_up(size + kRingbufHdrBytes, 8); }

}  // namespace

Result<Plan> UserRingMap::plan(const spec::MapSpec& spec, unsigned) {
  Plan plan;
  plan.header_at = 2 * kPageSize + 2 * std::size_t{spec.max_entries};
  plan.bytes = plan.header_at + kPageSize;
  plan.resident = plan.bytes;
  return plan;
}

UserRingMap::UserRingMap(Parts&& parts)
    : Map(std::move(parts)),
      mask_((std::uint64_t{std::bit_floor(spec_.max_entries)} - 1) & ~std::uint64_t{7}),
      wakeup_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

bool UserRingMap::begin_drain() noexcept { return lock_unless_owned(drainer()) != Locked::No; }
void UserRingMap::end_drain() noexcept { unlock(drainer()); }

int UserRingMap::oldest(MutableBytes& sample) noexcept {
  const std::uint64_t end = get(producer());
  if (end % 8 != 0) return -EINVAL;
  const std::uint64_t begin = get(consumer());
  if (begin >= end) return -ENODATA;
  const std::uint32_t header = get(*reinterpret_cast<std::uint32_t*>(at(begin)));
  const std::uint32_t size = header & ~(kRingbufBusyBit | kRingbufDiscardBit);
  const std::uint64_t whole = with_header(size);
  if (whole > end - begin) return -EINVAL;
  if (whole > std::bit_floor(spec_.max_entries) || size > kMostInSample) return -E2BIG;
  if ((header & kRingbufDiscardBit) != 0) {
    set(consumer(), begin + whole);
    return -EAGAIN;
  }
  if ((header & kRingbufBusyBit) != 0) return -ENODATA;
  sample = {at(begin) + kRingbufHdrBytes, size};
  return 0;
}

void UserRingMap::release(std::size_t size) noexcept { set(consumer(), get(consumer()) + with_header(size)); }

void UserRingMap::wake() noexcept {
  const std::uint64_t one = 1;
  // A counter that is already at its end wakes as well.
  [[maybe_unused]] const ssize_t written = ::write(wakeup_.get(), &one, sizeof one);
}

std::size_t UserRingMap::mmap_bytes() const noexcept { return 2 * kPageSize + 2 * std::size_t{spec_.max_entries}; }

}  // namespace skep::maps
