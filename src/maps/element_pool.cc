#include "maps/element_pool.h"

namespace skep::maps {

std::uint32_t ElementPool::next_free(unsigned part) noexcept {
  const std::uint32_t link = listed(part);
  return link != 0 ? link : fresh(part);
}

std::uint32_t ElementPool::take(unsigned part, std::uint32_t chunk) noexcept {
  for (unsigned tries = 0; tries < kMostTries; ++tries) {
    const std::uint32_t link = next_free(part);
    if (link == 0) break;
    if (claim(link, chunk)) return link;
  }
  // Back from the hand, which has just passed what the dead had with them.
  const std::uint32_t all = used(part);
  const std::uint32_t hand = all == 0 ? 0 : get(state(part).hand) % all;
  for (std::uint32_t back = 1; back <= all; ++back)
    if (const std::uint32_t link = first(part) + (hand + all - back) % all; claim(link, chunk)) return link;
  return 0;
}

bool ElementPool::claim(std::uint32_t link, std::uint32_t chunk) noexcept {
  if (!valid(link)) return false;
  std::uint64_t free = get(word(link));
  if (!is_free_mark(mark_of(free))) return false;
  return std::atomic_ref(word(link)).compare_exchange_strong(free, word_of(kMade, chunk));
}

// The first of the list, which is cut where an element in it turns out to be somebody's.
std::uint32_t ElementPool::listed(unsigned part) noexcept {
  const std::atomic_ref<std::uint64_t> free(state(part).free);
  std::uint64_t top = free.load(std::memory_order_acquire);
  while (valid(static_cast<std::uint32_t>(top))) {
    const auto link = static_cast<std::uint32_t>(top);
    const std::uint64_t tag = (top >> 32) + 1;
    const std::uint64_t now = get(word(link));
    const std::uint32_t next = mark_of(now) == kFree ? static_cast<std::uint32_t>(now) : 0;
    if (free.compare_exchange_weak(top, tag << 32 | next, std::memory_order_acq_rel, std::memory_order_acquire))
      return link;
  }
  return 0;
}

std::uint32_t ElementPool::fresh(unsigned part) noexcept {
  const std::atomic_ref<std::uint32_t> fresh(state(part).fresh);
  std::uint32_t used = fresh.load(std::memory_order_relaxed);
  while (used < shape_.capacity)
    if (fresh.compare_exchange_weak(used, used + 1, std::memory_order_acq_rel)) return first(part) + used;
  return 0;
}

void ElementPool::give_back(std::uint32_t link) noexcept {
  const std::uint64_t top = get(state(part(link)).free);
  const std::uint64_t mine = word_of(kFree, static_cast<std::uint32_t>(top));
  set(word(link), mine);
  list(link, mine, top);
}

void ElementPool::relist(std::uint32_t link) noexcept {
  if (!valid(link)) return;
  std::uint64_t now = get(word(link));
  const std::uint64_t top = get(state(part(link)).free);
  const std::uint64_t mine = word_of(kFree, static_cast<std::uint32_t>(top));
  if (is_free_mark(mark_of(now)) && std::atomic_ref(word(link)).compare_exchange_strong(now, mine))
    list(link, mine, top);
}

// Puts a free element, which refers to the list's `top` already, on top of it; not if somebody takes it meanwhile.
void ElementPool::list(std::uint32_t link, std::uint64_t mine, std::uint64_t top) noexcept {
  const std::atomic_ref<std::uint64_t> free(state(part(link)).free);
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
  const auto link = static_cast<std::uint32_t>(number) + 1;
  if (number >= std::uint64_t{shape_.capacity} * shape_.parts) return {};
  const unsigned part = this->part(link);
  if (link - first(part) >= used(part)) return {};
  return link;
}

}  // namespace skep::maps
