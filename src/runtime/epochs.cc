#include "runtime/epochs.h"

#include <algorithm>

#include "base/thread.h"

namespace skep::runtime {

std::atomic<std::uint64_t>& Epochs::enter() noexcept {
  Stripe& stripe = stripes_[thread_id() % kStripes];
  for (;;) {
    const std::uint64_t epoch = epoch_.load();
    std::atomic<std::uint64_t>& inside = stripe.inside[epoch % 2];
    inside.fetch_add(1);
    if (epoch_.load() == epoch) return inside;
    inside.fetch_sub(1);  // registered in an epoch that was over already
  }
}

bool Epochs::empty(std::uint64_t epoch) const noexcept {
  return std::ranges::all_of(stripes_, [&](const Stripe& stripe) { return stripe.inside[epoch % 2].load() == 0; });
}

std::vector<Epochs::Garbage> Epochs::collect() {
  // Twice, so that garbage goes at once when no section is open.
  for (int i = 0; i < 2 && empty(epoch_.load() - 1); ++i) epoch_.fetch_add(1);
  const std::uint64_t now = epoch_.load();
  const auto kept =
      std::partition(garbage_.begin(), garbage_.end(), [&](const Garbage& garbage) { return garbage.epoch + 2 > now; });
  std::vector<Garbage> free(std::make_move_iterator(kept), std::make_move_iterator(garbage_.end()));
  garbage_.erase(kept, garbage_.end());
  return free;
}

void Epochs::retire(std::shared_ptr<const void> garbage) {
  std::vector<Garbage> free;  // destroyed after the lock is released
  const std::scoped_lock lock(mutex_);
  garbage_.push_back({epoch_.load(), std::move(garbage)});
  free = collect();
}

void Epochs::reclaim() {
  std::vector<Garbage> free;
  const std::scoped_lock lock(mutex_);
  free = collect();
}

std::size_t Epochs::pending() const {
  const std::scoped_lock lock(mutex_);
  return garbage_.size();
}

}  // namespace skep::runtime
