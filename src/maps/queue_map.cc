#include "maps/queue_map.h"

#include <algorithm>
#include <bit>

#include "maps/hash.h"
#include "maps/words.h"

namespace skep::maps {
namespace {

constexpr unsigned kFunctions = 5;  // of a bloom filter whose map_extra is 0

unsigned functions_of(const spec::MapSpec& spec) {
  return spec.extra != 0 ? static_cast<unsigned>(spec.extra) : kFunctions;
}

// Bits for about the error rate that the number of functions aims at: entries x functions / ln 2, a power of two.
std::uint64_t bits_of(const spec::MapSpec& spec) {
  const std::uint64_t wanted = std::uint64_t{spec.max_entries} * functions_of(spec) * 7 / 5;
  return std::clamp<std::uint64_t>(std::bit_ceil(wanted), 64, 1ULL << 32);
}

}  // namespace

Result<Plan> QueueMap::plan(const spec::MapSpec& spec, unsigned) {
  Planner planner;
  planner.place(1, kPageSize, kPageSize);
  planner.place(spec.max_entries, round_up(spec.value_size, 8), 64);
  if (planner.invalid()) return fail(ENOMEM, "queue or stack: larger than an address space");
  const std::size_t bytes = round_up(planner.bytes(), kPageSize);
  return Plan{.header_at = 0, .bytes = bytes, .resident = bytes};
}

QueueMap::QueueMap(Parts&& parts)
    : Map(std::move(parts)), last_first_(spec_.type == spec::MapType::Stack), stride_(round_up(spec_.value_size, 8)) {}

// Less than twice round.
std::uint32_t QueueMap::round(std::uint64_t number) const noexcept {
  return static_cast<std::uint32_t>(number < spec_.max_entries ? number : number - spec_.max_entries);
}

std::byte* QueueMap::slot(Contents contents, std::uint32_t number) const noexcept {
  return region_.data() + kPageSize + round(std::uint64_t{contents.first} + number) * stride_;
}

// In a region that somebody scribbled on, whatever: but within it.
QueueMap::Contents QueueMap::contents() const noexcept {
  const std::uint64_t word = get(state().contents);
  return {std::min(static_cast<std::uint32_t>(word >> 32), spec_.max_entries - 1),
          std::min(static_cast<std::uint32_t>(word), spec_.max_entries)};
}

void QueueMap::commit(Contents contents) noexcept {
  set(state().contents, std::uint64_t{contents.first} << 32 | contents.count);
}

QueueMap::Contents QueueMap::without_oldest(Contents contents) const noexcept {
  return {round(std::uint64_t{contents.first} + 1), contents.count - 1};
}

int QueueMap::push(const std::byte* value, std::uint64_t flags) noexcept {
  if ((flags & spec::kNoExist) != 0 || flags > spec::kExist) return -EINVAL;
  const BiasedGuard guard(lock());
  if (!guard) return -EBUSY;
  Contents now = contents();
  if (now.count == spec_.max_entries) {
    if (flags != spec::kExist) return -E2BIG;
    commit(now = without_oldest(now));
  }
  copy_in(slot(now, now.count), value, spec_.value_size);
  commit({now.first, now.count + 1});
  return 0;
}

int QueueMap::read(std::byte* value, Then then) noexcept {
  const BiasedGuard guard(lock());
  if (!guard) return -EBUSY;
  const Contents now = contents();
  if (now.count == 0) {
    std::memset(value, 0, spec_.value_size);
    return -ENOENT;
  }
  copy_out(value, slot(now, last_first_ ? now.count - 1 : 0), spec_.value_size);
  if (then == Then::Remove) commit(last_first_ ? Contents{now.first, now.count - 1} : without_oldest(now));
  return 0;
}

int QueueMap::pop(std::byte* value) noexcept { return read(value, Then::Remove); }
int QueueMap::peek(std::byte* value) noexcept { return read(value, Then::Keep); }

int QueueMap::copy_value(const std::byte*, std::byte* value, std::uint64_t flags) noexcept {
  return flags != 0 ? -EINVAL : peek(value);
}
int QueueMap::update_all(const std::byte*, const std::byte* value, std::uint64_t flags) noexcept {
  return push(value, flags);
}
int QueueMap::take(const std::byte*, std::byte* value, std::uint64_t flags) noexcept {
  return flags != 0 ? -EINVAL : pop(value);
}

Result<Plan> BloomFilter::plan(const spec::MapSpec& spec, unsigned) {
  const std::size_t bytes = kPageSize + round_up(bits_of(spec) / 8, kPageSize);
  return Plan{.header_at = 0, .bytes = bytes, .resident = bytes};
}

BloomFilter::BloomFilter(Parts&& parts)
    : Map(std::move(parts)),
      functions_(functions_of(spec_)),
      mask_(bits_of(spec_) - 1),
      seed_(get(region_.header().seed)) {}

std::uint64_t& BloomFilter::word_of(std::uint64_t bit) const noexcept {
  return *reinterpret_cast<std::uint64_t*>(region_.data() + kPageSize + bit / 64 * 8);
}

// Calls use(word, bit in it) for each function's bit while it returns true.
template <class Use>
bool BloomFilter::each_bit(const std::byte* value, Use use) const noexcept {
  const std::uint64_t whole = hash(value, spec_.value_size, seed_);
  const std::uint64_t step = fold(whole, whole | 1) | 1;
  for (unsigned i = 0; i < functions_; ++i) {
    const std::uint64_t bit = (whole + i * step) & mask_;
    if (!use(word_of(bit), 1ULL << bit % 64)) return false;
  }
  return true;
}

int BloomFilter::push(const std::byte* value, std::uint64_t flags) noexcept {
  if (flags != spec::kAny) return -EINVAL;
  each_bit(value, [](std::uint64_t& word, std::uint64_t bit) {
    if ((get(word) & bit) == 0) std::atomic_ref(word).fetch_or(bit, std::memory_order_relaxed);
    return true;
  });
  return 0;
}

int BloomFilter::peek(std::byte* value) noexcept {
  return each_bit(value, [](std::uint64_t& word, std::uint64_t bit) { return (get(word) & bit) != 0; }) ? 0 : -ENOENT;
}

int BloomFilter::copy_value(const std::byte*, std::byte* value, std::uint64_t flags) noexcept {
  return flags != 0 ? -EINVAL : peek(value);
}
int BloomFilter::update_all(const std::byte*, const std::byte* value, std::uint64_t flags) noexcept {
  return push(value, flags);
}

}  // namespace skep::maps
