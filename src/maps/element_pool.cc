#include "maps/element_pool.h"

namespace skep::maps {

std::uint32_t ElementPool::take() noexcept {
  const std::atomic_ref<std::uint64_t> free(state_->free);
  std::uint64_t top = free.load(std::memory_order_acquire);
  while (valid(static_cast<std::uint32_t>(top))) {
    const auto link = static_cast<std::uint32_t>(top);
    const std::uint64_t tag = (top >> 32) + 1;
    if (free.compare_exchange_weak(top, tag << 32 | chunk(link), std::memory_order_acq_rel, std::memory_order_acquire))
      return link;
  }
  const std::atomic_ref<std::uint32_t> fresh(state_->fresh);
  std::uint32_t used = fresh.load(std::memory_order_relaxed);
  while (used < shape_.capacity)
    if (fresh.compare_exchange_weak(used, used + 1, std::memory_order_acq_rel)) return used + 1;
  return 0;
}

void ElementPool::give_back(std::uint32_t link) noexcept {
  const std::atomic_ref<std::uint64_t> free(state_->free);
  std::uint64_t top = free.load(std::memory_order_acquire);
  do set_chunk(link, static_cast<std::uint32_t>(top));
  while (!free.compare_exchange_weak(top, ((top >> 32) + 1) << 32 | link, std::memory_order_acq_rel,
                                     std::memory_order_acquire));
}

std::optional<std::uint32_t> ElementPool::around(const std::byte* address) const noexcept {
  const auto offset = reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(elements_);
  const std::uint64_t number = offset / shape_.element_bytes;
  if (number >= std::min(get(state_->fresh), shape_.capacity)) return {};
  return static_cast<std::uint32_t>(number) + 1;
}

}  // namespace skep::maps
