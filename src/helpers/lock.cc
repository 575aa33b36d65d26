// bpf_spin_lock: a word in a map's value that holds its owner's thread id (maps/lock.h), so that it works between
// processes.
//
// Programs hold one lock at a time and for a bounded time. A lock that a living thread keeps longer than maps::lock
// waits (it was stopped in a debugger) is passed: a program cannot be told that it failed.
#include "maps/lock.h"

#include <atomic>

#include "base/thread.h"
#include "helpers/subjects.h"

namespace skep::helpers {

namespace {

void spin_lock(Call&, std::uint32_t& word) noexcept { maps::lock(word); }
void spin_unlock(Call&, std::uint32_t& word) noexcept {
  if (std::atomic_ref(word).load(std::memory_order_relaxed) == this_owner()) maps::unlock(word);
}

}  // namespace

std::span<const Binding> lock_bindings() noexcept {
  static constexpr Binding rows[] = {SKEP_BIND(spin_lock), SKEP_BIND(spin_unlock)};
  return rows;
}

}  // namespace skep::helpers
