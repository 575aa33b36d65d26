#include "maps/lock.h"

#include <atomic>
#include <utility>

#include "base/thread.h"
#include "maps/patience.h"

namespace skep::maps {

Locked wait_for_lock(std::uint32_t& word, std::uint32_t self) noexcept {
  const std::atomic_ref<std::uint32_t> owner(word);
  Patience patience;
  std::uint32_t seen = 0;
  for (;;) {
    std::uint32_t holder = 0;
    if (owner.compare_exchange_strong(holder, self, std::memory_order_acquire, std::memory_order_relaxed))
      return Locked::Yes;
    if (holder == self) return Locked::No;
    if (std::exchange(seen, holder) != holder) patience.begin_anew();
    switch (patience.wait()) {
      case Patience::Next::Retry: break;
      case Patience::Next::GiveUp: return Locked::No;
      case Patience::Next::AskWhetherOwnerLives:
        if (!owner_exists(holder) && owner.compare_exchange_strong(holder, self, std::memory_order_acquire))
          return Locked::Inherited;
        break;
    }
  }
}

Locked lock_unless_owned(std::uint32_t& word) noexcept {
  if (try_lock(word)) return Locked::Yes;
  const std::atomic_ref<std::uint32_t> owner(word);
  std::uint32_t holder = owner.load(std::memory_order_relaxed);
  const bool inherited = holder != this_owner() && !owner_exists(holder) &&
                         owner.compare_exchange_strong(holder, this_owner(), std::memory_order_acquire);
  return inherited ? Locked::Inherited : Locked::No;
}

}  // namespace skep::maps
