#include "maps/bias.h"

#include "maps/patience.h"

namespace skep::maps {

bool Bias::grant(std::uint32_t self) noexcept {
  std::uint32_t nobody = 0;
  if (barriers_arrive(Reach::Machine) && claim_word(self) &&
      std::atomic_ref(owner).compare_exchange_strong(nobody, self))
    return true;
  set(streak, 0U);  // it takes a while to find that out: not so soon again
  if (nobody == 0) set(ended, get(ended) + 1);
  return false;
}

// A word of `inside` for the thread: that it has, that nobody has, or that was a dead thread's.
bool Bias::claim_word(std::uint32_t self) noexcept {
  if (word_of(self) < kThreads) return true;
  for (unsigned i = 0; i < kThreads; ++i) {
    std::uint32_t user = get(users[i]);
    if (user != 0 && (get(inside[i]) != 0 || owner_exists(user))) continue;
    if (std::atomic_ref(users[i]).compare_exchange_strong(user, self)) return true;
  }
  return false;
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

Locked wait_for_owner(Bias& bias, std::uint32_t self, std::uint32_t& dead) noexcept {
  if (bias.is_inside(self)) return Locked::No;
  Patience patience;
  for (;;) {
    const bool sure = bias.revoke();
    const std::uint32_t who = bias.whoever_is_inside();
    if (sure && who == 0) return Locked::Yes;
    switch (patience.wait()) {
      case Patience::Next::Retry: break;
      case Patience::Next::GiveUp: return Locked::No;
      case Patience::Next::AskWhetherOwnerLives:
        if (sure && !owner_exists(who)) return dead = who, Locked::Inherited;
        break;
    }
  }
}

void BiasedGuard::take(std::uint32_t self) noexcept {
  if (lock(lock_.word) == Locked::No) return;
  if (!lock_.bias.lets_pass(self)) {
    std::uint32_t dead = 0;
    if (wait_for_owner(lock_.bias, self, dead) == Locked::No) return unlock(lock_.word);
    if (dead != 0) lock_.bias.put_out(dead);
  }
  how_ = How::ByLock;
  if (lock_.bias.is_due(self)) (void)lock_.bias.grant(self);
}

}  // namespace skep::maps
