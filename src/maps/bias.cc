#include "maps/bias.h"

#include "maps/patience.h"

namespace skep::maps {

bool Bias::grant(std::uint32_t self) noexcept {
  std::uint32_t nobody = 0;
  return barriers_arrive(Reach::Machine) && std::atomic_ref(owner).compare_exchange_strong(nobody, self);
}

// Who finds that another is at it does the same: that one may have died.
bool Bias::revoke() noexcept {
  const std::atomic_ref<std::uint32_t> whose(owner);
  std::uint32_t seen = whose.load();
  if (seen == 0) return true;
  if (is_thread(seen) && !owner_exists(seen)) return whose.compare_exchange_strong(seen, 0) || seen == 0;
  if (is_thread(seen)) {
    constexpr std::uint32_t kMost = (1U << (32 - kThreadIdBits)) - 1;
    const std::uint32_t ending = (std::atomic_ref(ended).fetch_add(1) % kMost + 1) << kThreadIdBits;
    if (whose.compare_exchange_strong(seen, ending)) seen = ending;
    set(streak, 0U);
  }
  if (seen == 0 || is_thread(seen)) return seen == 0;
  if (!barrier_in_all(Reach::Machine)) return false;
  return whose.compare_exchange_strong(seen, 0) || seen == 0;
}

Locked wait_for_owner(Bias& bias, std::uint32_t self) noexcept {
  if (get(bias.inside) == self) return Locked::No;
  Patience patience;
  while (!bias.revoke())
    if (patience.wait() == Patience::Next::GiveUp) return Locked::No;
  return lock(bias.inside);
}

void BiasedGuard::take(std::uint32_t self) noexcept {
  if (lock(lock_.word) == Locked::No) return;
  if (!lock_.bias.lets_pass(self)) {
    if (wait_for_owner(lock_.bias, self) == Locked::No) return unlock(lock_.word);
    lock_.bias.leave();
  }
  how_ = How::ByLock;
  if (lock_.bias.is_due(self)) (void)lock_.bias.grant(self);
}

}  // namespace skep::maps
