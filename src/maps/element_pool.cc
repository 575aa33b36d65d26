#include "maps/element_pool.h"

namespace skep::maps {

std::uint32_t ElementPool::take(std::uint32_t chunk) noexcept {
  for (unsigned tries = 0; tries < kMostTries; ++tries) {
    std::uint32_t link = listed();
    if (link == 0) link = fresh();
    if (link == 0) break;
    if (claim(link, chunk)) return link;
  }
  for (std::uint32_t link = 1; link <= used(); ++link)
    if (claim(link, chunk)) return link;
  return 0;
}

bool ElementPool::claim(std::uint32_t link, std::uint32_t chunk) noexcept {
  std::uint64_t free = get(word(link));
  const auto mark = static_cast<std::uint32_t>(free >> 32);
  if (mark != kFree && mark != kNever) return false;
  return std::atomic_ref(word(link)).compare_exchange_strong(free, word_of(kMade, chunk));
}

// The first of the list, which is cut where an element in it turns out to be somebody's.
std::uint32_t ElementPool::listed() noexcept {
  const std::atomic_ref<std::uint64_t> free(state_->free);
  std::uint64_t top = free.load(std::memory_order_acquire);
  while (valid(static_cast<std::uint32_t>(top))) {
    const auto link = static_cast<std::uint32_t>(top);
    const std::uint64_t tag = (top >> 32) + 1;
    const std::uint64_t first = get(word(link));
    const std::uint32_t next = first >> 32 == kFree ? static_cast<std::uint32_t>(first) : 0;
    if (free.compare_exchange_weak(top, tag << 32 | next, std::memory_order_acq_rel, std::memory_order_acquire))
      return link;
  }
  return 0;
}

std::uint32_t ElementPool::fresh() noexcept {
  const std::atomic_ref<std::uint32_t> fresh(state_->fresh);
  std::uint32_t used = fresh.load(std::memory_order_relaxed);
  while (used < shape_.capacity)
    if (fresh.compare_exchange_weak(used, used + 1, std::memory_order_acq_rel)) return used + 1;
  return 0;
}

void ElementPool::give_back(std::uint32_t link) noexcept {
  const std::atomic_ref<std::uint64_t> free(state_->free);
  std::uint64_t top = free.load(std::memory_order_acquire);
  std::uint64_t mine = word_of(kFree, static_cast<std::uint32_t>(top));
  set(word(link), mine);
  while (!free.compare_exchange_weak(top, ((top >> 32) + 1) << 32 | link, std::memory_order_acq_rel,
                                     std::memory_order_acquire)) {
    const std::uint64_t next = word_of(kFree, static_cast<std::uint32_t>(top));
    if (!std::atomic_ref(word(link)).compare_exchange_strong(mine, next)) return;  // found free and taken
    mine = next;
  }
}

std::optional<std::uint32_t> ElementPool::around(const std::byte* address) const noexcept {
  const auto offset = reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(elements_);
  const std::uint64_t number = offset / shape_.element_bytes;
  if (number >= used()) return {};
  return static_cast<std::uint32_t>(number) + 1;
}

}  // namespace skep::maps
