#include "maps/lock.h"

#include <atomic>

#include "base/thread.h"
#include "maps/patience.h"

namespace skep::maps {

Locked wait_for_lock(std::uint32_t& word, std::uint32_t self) noexcept {
  const std::atomic_ref<std::uint32_t> owner(word);
  Patience patience;
  for (;;) {
    std::uint32_t holder = 0;
    if (owner.compare_exchange_strong(holder, self, std::memory_order_acquire, std::memory_order_relaxed))
      return Locked::Yes;
    if (holder == self) return Locked::No;
    switch (patience.wait()) {
      case Patience::Next::Retry: break;
      case Patience::Next::GiveUp: return Locked::No;
      case Patience::Next::AskWhetherOwnerLives:
        if (!thread_exists(holder) && owner.compare_exchange_strong(holder, self, std::memory_order_acquire))
          return Locked::Inherited;
        break;
    }
  }
}

bool try_lock(std::uint32_t& word) noexcept {
  const std::uint32_t self = thread_id();
  std::uint32_t holder = 0;
  const std::atomic_ref<std::uint32_t> owner(word);
  if (owner.compare_exchange_strong(holder, self, std::memory_order_acquire)) return true;
  return holder != self && !thread_exists(holder) &&
         owner.compare_exchange_strong(holder, self, std::memory_order_acquire);
}

}  // namespace skep::maps
