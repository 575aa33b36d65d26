#include "runtime/epochs.h"

#include <pthread.h>

#include <algorithm>

#include "base/thread.h"

namespace skep::runtime {

constinit thread_local Epochs::Known Epochs::known_{};

void Epochs::forget_reader() noexcept { known_ = {}; }
const int Epochs::kForgetAtFork = ::pthread_atfork(nullptr, nullptr, &forget_reader);

std::uint64_t Epochs::next_identity() noexcept {
  static constinit std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

// The one that is the calling thread's, or now becomes it; null when others have all of them.
Epochs::Reader* Epochs::look_for_reader() noexcept {
  const std::uint32_t self = thread_id();
  const auto find = [&](auto may_have) -> Reader* {
    for (unsigned i = 0; i < kReaders; ++i) {
      Reader& reader = readers_[(self + i) % kReaders];
      std::uint32_t owner = reader.thread.load();
      if (owner == self || (may_have(reader, owner) && reader.thread.compare_exchange_strong(owner, self)))
        return &reader;
    }
    return nullptr;
  };
  Reader* reader = find([](const Reader&, std::uint32_t owner) { return owner == 0; });
  if (reader == nullptr)
    reader = find([](const Reader& left, std::uint32_t owner) { return left.inside == 0 && !thread_exists(owner); });
  known_ = {.identity = identity_, .reader = reader};
  return reader;
}

Epochs::Crowd& Epochs::enter_crowd() noexcept {
  for (;;) {
    const std::uint64_t epoch = epoch_.load();
    Crowd& inside = crowd_[epoch % 2];
    inside.fetch_add(1);
    if (epoch_.load() == epoch) return inside;
    inside.fetch_sub(1);  // registered in an epoch that was over already
  }
}

// Whether the sections that are open began in `epoch`, which is the present one, or later.
bool Epochs::nobody_before(std::uint64_t epoch) const noexcept {
  return crowd_[(epoch - 1) % 2].load() == 0 && std::ranges::none_of(readers_, [&](const Reader& reader) {
           const std::uint64_t inside = reader.inside.load();
           return inside != 0 && inside < epoch;
         });
}

std::vector<Epochs::Garbage> Epochs::collect() {
  if (garbage_.empty()) return {};
  // What could be found before is found in no section that is not seen from here on.
  if (!barriers_arrive_.load()) {
    std::atomic_thread_fence(std::memory_order_seq_cst);
  } else if (!barrier_in_all(Reach::Process)) {
    barriers_arrive_.store(false);  // no longer: sections that are entered now are seen the next time
    return {};
  }
  // Twice, so that garbage goes at once when no section is open.
  for (int i = 0; i < 2 && nobody_before(epoch_.load()); ++i) epoch_.fetch_add(1);
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
