// Memory barriers that one thread has all the others go through: membarrier(2).
//
// Two threads that each write a word and then read the other's need a barrier between write and read, which costs each
// as much as an atomic operation. Where one of them comes often and the other rarely, only the rare one pays: the often
// one keeps the compiler from turning the two around (order_for_others()), and the rare one, between its own write and
// read, has every thread go through a barrier, some microseconds long. Each then sees the other's write, or is seen.
//
// Tested by: base/barrier_test.cc.
#pragma once

#include <atomic>
#include <cstdint>

namespace skep {

enum class Reach : std::uint8_t {
  Process,  // threads of this process
  Machine,  // threads of every process that called barriers_arrive(Machine)
};

// The often one's side, between its write and its read.
inline void order_for_others() noexcept { std::atomic_signal_fence(std::memory_order_seq_cst); }

// Whether barriers of others reach the threads of this process from now on. Asked of the kernel once in a process; not
// where membarrier(2) is missing or forbidden.
bool barriers_arrive(Reach reach) noexcept;

// The rare one's side. False: the kernel refused.
bool barrier_in_all(Reach reach) noexcept;

}  // namespace skep
