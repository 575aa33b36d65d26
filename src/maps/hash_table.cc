#include "maps/hash_table.h"

#include <sched.h>

#include <bit>
#include <cerrno>

#include "maps/hash.h"
#include "maps/lock.h"

namespace skep::maps {
namespace {

constexpr std::uint32_t kSpare = 16;          // elements that replacements hold for a moment, beside one per CPU
constexpr unsigned kMostRetries = 1000;       // of a walk that removals disturb
constexpr unsigned kMostAllocations = 10000;  // until a replacement gives up waiting for a spare
constexpr std::uint64_t kMostPassedOver =
    4096;  // used elements in one eviction: in a large map that is in use throughout
constexpr std::uint32_t kUnused = 0;
constexpr std::uint32_t kIdle = 1;
constexpr std::uint32_t kTouched = 2;

}  // namespace

HashTable::Layout HashTable::layout(const Shape& shape) noexcept {
  Layout result;
  const std::uint64_t buckets = std::bit_ceil(std::uint64_t{shape.entries});
  const std::uint64_t capacity = std::uint64_t{shape.entries} + shape.cpus + kSpare;
  result.bucket_mask = static_cast<std::uint32_t>(buckets - 1);
  result.capacity = static_cast<std::uint32_t>(capacity);
  result.key_at = shape.lru ? 16 : 8;
  result.value_at = result.key_at + round_up(shape.key_size, 8);
  result.element_bytes = result.value_at + round_up(shape.value_bytes, 8);
  Planner planner;
  planner.place(1, kPageSize, kPageSize);
  result.buckets_at = planner.place(buckets, sizeof(Bucket), kPageSize);
  result.elements_at = planner.place(capacity, result.element_bytes, 64);
  if (!planner.invalid()) result.bytes = round_up(planner.bytes(), kPageSize);
  return result;
}

HashTable::HashTable(const Region& region, const Shape& shape) noexcept
    : shape_(shape),
      layout_(layout(shape)),
      buckets_(reinterpret_cast<Bucket*>(region.data() + layout_.buckets_at)),
      elements_(region.data() + layout_.elements_at),
      state_(reinterpret_cast<State*>(region.header().kind)),
      seed_(get(region.header().seed)) {
  static_assert(sizeof(State) <= sizeof(Header::kind));
}

std::uint32_t HashTable::hash_of(const std::byte* key) const noexcept {
  return static_cast<std::uint32_t>(hash(key, shape_.key_size, seed_));
}

// One walk down the chain: the link of the element with this key, or 0. Means something only if the generation stood
// still.
template <std::size_t kKeySize>
[[gnu::always_inline]] inline std::uint32_t HashTable::walk(const Bucket& bucket, std::uint32_t hash,
                                                            const std::byte* key) const noexcept {
  const std::size_t key_size = kKeySize != 0 ? kKeySize : shape_.key_size;
  std::uint32_t link = get(const_cast<Bucket&>(bucket).head);
  for (std::uint32_t steps = 0; valid(link) && steps < layout_.capacity; ++steps) {
    if (get(hash_of(link)) == hash && equal(key_of(link), key, key_size)) return link;
    link = get(next_of(link));
  }
  return 0;
}

// Calls `use` with the link of the key's element (0: none) until nothing was removed from the bucket meanwhile. False
// when that never came to pass.
template <class Use>
bool HashTable::with_stable(Bucket& bucket, std::uint32_t hash, const std::byte* key, Use use) const noexcept {
  for (unsigned tries = 0; tries < kMostRetries; ++tries) {
    const std::uint32_t generation = get(bucket.generation);
    use(walk(bucket, hash, key));
    if (get(bucket.generation) == generation) return true;
  }
  const Guard guard(bucket.lock);
  if (guard) use(walk(bucket, hash, key));
  return static_cast<bool>(guard);
}

std::byte* HashTable::find(const std::byte* key) const noexcept {
  const std::uint32_t hash = hash_of(key);
  std::uint32_t found = 0;
  const bool stable = with_stable(bucket_of(hash), hash, key, [&](std::uint32_t link) { found = link; });
  return stable && found != 0 ? value_of(found) : nullptr;
}

void HashTable::touch(std::byte* value) const noexcept {
  auto* words = reinterpret_cast<std::uint32_t*>(value - layout_.value_at);
  if (get(words[2]) == kIdle) set(words[2], kTouched);
}

template <std::size_t kKeySize>
std::byte* HashTable::find_as(const void* table, std::uint64_t, const std::byte* key) noexcept {
  const HashTable& self = *static_cast<const HashTable*>(table);
  const std::size_t key_size = kKeySize != 0 ? kKeySize : self.shape_.key_size;
  const auto hash = static_cast<std::uint32_t>(maps::hash(key, key_size, self.seed_));
  Bucket& bucket = self.bucket_of(hash);
  const std::uint32_t generation = get(bucket.generation);
  const std::uint32_t found = self.walk<kKeySize>(bucket, hash, key);
  const bool stable = get(bucket.generation) == generation;
  std::byte* const value = !stable ? self.find(key) : found != 0 ? self.value_of(found) : nullptr;
  if (self.shape_.lru && value != nullptr) self.touch(value);
  return value;
}

Recipe::Find HashTable::finder() const noexcept {
  switch (shape_.key_size) {
    case 4: return find_as<4>;
    case 8: return find_as<8>;
    case 16: return find_as<16>;
    default: return find_as<0>;
  }
}

int HashTable::read(const std::byte* key, std::byte* to, std::size_t size) noexcept {
  const std::uint32_t hash = hash_of(key);
  bool found = false;
  const bool stable = with_stable(bucket_of(hash), hash, key, [&](std::uint32_t link) {
    found = link != 0;
    if (found) copy_out(to, value_of(link), size);
  });
  if (!stable) return -EBUSY;
  return found ? 0 : -ENOENT;
}

// Under the bucket's lock: where the key's element hangs, or where the chain ends.
HashTable::Place HashTable::locate(Bucket& bucket, std::uint32_t hash, const std::byte* key) const noexcept {
  Place place{&bucket.head, get(bucket.head)};
  for (std::uint32_t steps = 0; valid(place.element) && steps < layout_.capacity; ++steps) {
    if (get(hash_of(place.element)) == hash && equal(key_of(place.element), key, shape_.key_size)) return place;
    place.link = &next_of(place.element);
    place.element = get(*place.link);
  }
  return {&bucket.head, 0};
}

int HashTable::put(const std::byte* key, std::uint64_t flags, Replace replace, Writer& writer) noexcept {
  if (flags > spec::kExist) return -EINVAL;
  const std::uint32_t hash = hash_of(key);
  Bucket& bucket = bucket_of(hash);
  for (unsigned tries = 0;; ++tries) {
    int result = -EBUSY;
    if (const Guard guard(bucket.lock); guard) result = put_locked(bucket, hash, key, flags, replace, writer);
    if (result != -E2BIG || !shape_.lru) return result;
    // Room is made while no bucket is locked; another may be quicker to take it.
    if (tries == kMostRetries) return -ENOMEM;
    if (!evict()) ::sched_yield();
  }
}

int HashTable::put_locked(Bucket& bucket, std::uint32_t hash, const std::byte* key, std::uint64_t flags,
                          Replace replace, Writer& writer) noexcept {
  const Place place = locate(bucket, hash, key);
  if (place.element == 0) {
    if (flags == spec::kExist) return -ENOENT;
    if (!reserve()) return -E2BIG;
    const int error = link_new(bucket.head, get(bucket.head), hash, key, writer);
    if (error != 0) std::atomic_ref(state_->count).fetch_sub(1);
    return error;
  }
  if (flags == spec::kNoExist) return -EEXIST;
  if (replace == Replace::InPlace) {
    writer.overwrite(value_of(place.element));
    if (shape_.lru) touch(value_of(place.element));
    return 0;
  }
  if (const int error = link_new(*place.link, get(next_of(place.element)), hash, key, writer); error != 0) return error;
  if (shape_.lru) {
    set(mark_of(get(*place.link)), kTouched);
    set(mark_of(place.element), kUnused);
  }
  std::atomic_ref(bucket.generation).fetch_add(1);
  release(place.element);
  return 0;
}

int HashTable::link_new(std::uint32_t& link, std::uint32_t next, std::uint32_t hash, const std::byte* key,
                        Writer& writer) noexcept {
  std::uint32_t element = allocate();
  for (unsigned tries = 0; element == 0 && tries < kMostAllocations;
       ++tries) {  // another's replacement has it for a moment
    ::sched_yield();
    element = allocate();
  }
  if (element == 0) return -ENOMEM;
  set(hash_of(element), hash);
  copy_in(key_of(element), key, shape_.key_size);
  writer.fill(value_of(element));
  if (shape_.lru) set(mark_of(element), kIdle);
  set(next_of(element), next);
  set(link, element);
  return 0;
}

// Takes the element out of its chain and gives it back.
void HashTable::unlink(Bucket& bucket, const Place& place) noexcept {
  if (shape_.lru) set(mark_of(place.element), kUnused);
  set(*place.link, get(next_of(place.element)));
  std::atomic_ref(bucket.generation).fetch_add(1);
  release(place.element);
  std::atomic_ref(state_->count).fetch_sub(1);
}

int HashTable::remove(const std::byte* key, std::byte* to, std::size_t size, const ValueLock& value_lock) noexcept {
  const std::uint32_t hash = hash_of(key);
  Bucket& bucket = bucket_of(hash);
  const Guard guard(bucket.lock);
  if (!guard) return -EBUSY;
  const Place place = locate(bucket, hash, key);
  if (place.element == 0) return -ENOENT;
  if (to != nullptr && value_lock) {
    if (const int error = value_lock.read_locked(to, value_of(place.element), size); error != 0) return error;
  } else if (to != nullptr) {
    copy_out(to, value_of(place.element), size);
  }
  unlink(bucket, place);
  return 0;
}

// The key of the first element in this bucket or a later one.
bool HashTable::first_from(std::uint64_t bucket, std::byte* next) noexcept {
  for (; bucket <= layout_.bucket_mask; ++bucket) {
    for (unsigned tries = 0; tries < kMostRetries; ++tries) {
      const std::uint32_t generation = get(buckets_[bucket].generation);
      const std::uint32_t link = get(buckets_[bucket].head);
      if (!valid(link)) break;
      copy_out(next, key_of(link), shape_.key_size);
      if (get(buckets_[bucket].generation) == generation) return true;
    }
  }
  return false;
}

int HashTable::next_key(const std::byte* key, std::byte* next) noexcept {
  if (key == nullptr) return first_from(0, next) ? 0 : -ENOENT;
  const std::uint32_t hash = hash_of(key);
  bool found = false;
  bool in_chain = false;
  with_stable(bucket_of(hash), hash, key, [&](std::uint32_t link) {
    found = link != 0;
    const std::uint32_t after = found ? get(next_of(link)) : 0;
    in_chain = valid(after);
    if (in_chain) copy_out(next, key_of(after), shape_.key_size);
  });
  if (in_chain) return 0;
  const std::uint64_t from = found ? std::uint64_t{hash & layout_.bucket_mask} + 1 : 0;
  return first_from(from, next) ? 0 : -ENOENT;
}

std::byte* HashTable::value_around(const std::byte* address) const noexcept {
  const auto offset = reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(elements_);
  const std::uint64_t element = offset / layout_.element_bytes;
  if (element >= layout_.capacity || element >= get(state_->fresh)) return nullptr;
  const std::size_t in_element = offset % layout_.element_bytes;
  const std::size_t end = layout_.value_at + shape_.value_bytes;
  if (in_element < layout_.value_at || in_element >= end) return nullptr;
  return value_of(static_cast<std::uint32_t>(element) + 1);
}

std::uint32_t HashTable::length(const Bucket& bucket) const noexcept {
  std::uint32_t count = 0;
  std::uint32_t link = get(const_cast<Bucket&>(bucket).head);
  for (; valid(link) && count < layout_.capacity; link = get(next_of(link))) ++count;
  return count;
}

std::uint32_t HashTable::allocate() noexcept {
  const std::atomic_ref<std::uint64_t> free(state_->free);
  std::uint64_t top = free.load(std::memory_order_acquire);
  while (valid(static_cast<std::uint32_t>(top))) {
    const auto link = static_cast<std::uint32_t>(top);
    const std::uint64_t tag = (top >> 32) + 1;
    // A free element's hash word holds the next free one; its next word still serves readers that stand on it.
    if (free.compare_exchange_weak(top, tag << 32 | get(hash_of(link)), std::memory_order_acq_rel,
                                   std::memory_order_acquire))
      return link;
  }
  const std::atomic_ref<std::uint32_t> fresh(state_->fresh);
  std::uint32_t used = fresh.load(std::memory_order_relaxed);
  while (used < layout_.capacity)
    if (fresh.compare_exchange_weak(used, used + 1, std::memory_order_acq_rel)) return used + 1;
  return 0;
}

void HashTable::release(std::uint32_t link) noexcept {
  const std::atomic_ref<std::uint64_t> free(state_->free);
  std::uint64_t top = free.load(std::memory_order_acquire);
  do set(hash_of(link), static_cast<std::uint32_t>(top));
  while (!free.compare_exchange_weak(top, ((top >> 32) + 1) << 32 | link, std::memory_order_acq_rel,
                                     std::memory_order_acquire));
}

bool HashTable::reserve() noexcept {
  const std::atomic_ref<std::uint32_t> count(state_->count);
  std::uint32_t used = count.load(std::memory_order_relaxed);
  while (used < shape_.entries)
    if (count.compare_exchange_weak(used, used + 1, std::memory_order_acq_rel)) return true;
  return false;
}

// Moves the hand until it finds an element that was not used since it last came by, and removes that one.
bool HashTable::evict() noexcept {
  const std::uint32_t used = std::min(get(state_->fresh), layout_.capacity);
  for (std::uint64_t steps = 0; steps < 3 * std::uint64_t{used}; ++steps) {
    const std::uint32_t link = std::atomic_ref(state_->hand).fetch_add(1) % used + 1;
    const std::atomic_ref<std::uint32_t> mark(mark_of(link));
    std::uint32_t seen = mark.load(std::memory_order_acquire);
    if (seen == kUnused) continue;
    if (seen == kTouched && steps < kMostPassedOver && mark.compare_exchange_strong(seen, kIdle)) continue;
    if (evict(link)) return true;
  }
  return false;
}

bool HashTable::evict(std::uint32_t link) noexcept {
  Bucket& bucket = bucket_of(get(hash_of(link)));
  const Guard guard(bucket.lock);
  if (!guard) return false;
  Place place{&bucket.head, get(bucket.head)};
  for (std::uint32_t steps = 0; valid(place.element) && steps < layout_.capacity; ++steps) {
    if (place.element == link) return unlink(bucket, place), true;
    place.link = &next_of(place.element);
    place.element = get(*place.link);
  }
  return false;
}

}  // namespace skep::maps
