// The control region that all processes of a hive share: participants, virtual CPUs, run statistics.
//
// "CPU" is a lease (ARCHITECTURE, decision 4): user threads are preempted, so per-CPU state is handed to
// one thread at a time. An invocation that needs it holds a Cpu for its duration; nested runs on the same thread share
// it, also those that begin in a signal handler, at whatever instruction. A slot holds its owner's thread id and the
// depth of nesting, so a lease does not survive a fork.
//
// Nobody else writes the values of a slot while its owner lives: who finds all slots taken waits until one is given
// back, however often they change hands before him. Holders that died are succeeded at once. So that nobody waits
// forever, two more are: one that is stopped (by a signal or a debugger) and keeps the same lease for a second while
// somebody waits for it, and any that keeps it for ten. Such a one writes beside its successor when it goes on: what
// either adds meanwhile may be lost. Cost: plain stores for a thread that has a bias to its slot (maps/bias.h), as who
// has had it all the time does; else one compare-and-exchange and two stores. Tested by: maps/domain_test.cc,
// maps/bias_test.cc, hive/exactness_test.cc.
#pragma once

#include <cstdint>
#include <memory>

#include "base/fd.h"
#include "base/mapping.h"
#include "base/result.h"
#include "base/thread.h"
#include "maps/bias.h"
#include "maps/words.h"

namespace skep::maps {

class Domain {
 public:
  static Result<std::unique_ptr<Domain>> create();        // a new region, in a sealed memfd "skep-domain"
  static Result<std::unique_ptr<Domain>> open(Fd memfd);  // hostile: checked
  ~Domain();

  int memfd() const noexcept;
  // CPUs that per-CPU maps have slots for: the count of /sys/devices/system/cpu/possible.
  unsigned cpus() const noexcept { return cpus_; }

  // A virtual CPU for the calling thread: prefers the CPU it runs on. Never fails; waits (bounded, by yielding) when
  // all are taken. Nested calls on a thread return the thread's slot.
  unsigned take_cpu() noexcept;
  void give_cpu() noexcept;
  // From now on what the calling thread does is another's work, which runs on this CPU: that one is taken if it is
  // free. Any other number: the CPU that the thread runs on itself.
  static void prefer_cpu(std::uint32_t cpu) noexcept;

 private:
  Domain() = default;
  struct Region;
  struct alignas(64) Slot {
    std::uint32_t owner;  // thread id of the lease's holder, 0: free, or taken by a bias
    std::uint32_t depth;  // leases nested in the first; only the holder touches it
    std::uint32_t turns;  // leases that there were, but for those by a bias, which whoever waits ends; likewise
    Bias bias;

    bool is_held_by(std::uint32_t thread) noexcept { return get(owner) == thread || bias.is_inside(thread); }
    // Who holds it, as far as can be seen; 0: nobody.
    std::uint32_t holder() noexcept {
      const std::uint32_t by_bias = bias.whoever_is_inside();
      return by_bias != 0 ? by_bias : get(owner);
    }
    // By its holder: another lease that is the first. By a bias it is one where `depth` is 0 already.
    void begin() noexcept {
      set(depth, 0U);
      set(turns, get(turns) + 1);
    }
  };

  // The leases this thread holds: where to look for them, not whether they are its own, which the slots' words say. A
  // thread rarely holds one, and hardly ever more; beyond the table all slots are searched. A signal handler may come
  // in between at any instruction, and adds and removes leases of its own before the thread goes on: so a lease is here
  // before its slot is taken and until after it is given back, and what is written last is what makes it count.
  struct Leases {
    struct Lease {
      std::uint64_t domain;
      unsigned slot;
    };
    static constexpr unsigned kMost = 8;

    // Those of a fork's parent are forgotten.
    void become(std::uint32_t self) noexcept {
      if (owner != self) *this = {.owner = self, .count = 0, .elsewhere = 0, .last = {}, .held = {}};
    }
    void add(std::uint64_t domain, unsigned slot) noexcept {
      if (count == kMost) return void(++elsewhere);
      const unsigned at = count;
      count = at + 1;  // first: what a handler adds goes behind it
      order_for_others();
      held[at] = {domain, slot};
      order_for_others();
    }
    void remove(std::uint64_t domain, unsigned slot) noexcept {
      order_for_others();
      for (unsigned i = count; i-- > 0;)
        if (held[i].domain == domain && held[i].slot == slot) return drop(i);
      if (elsewhere > 0) --elsewhere;
    }
    // The last one, of a slot that is another's meanwhile.
    void forget(std::uint64_t domain) noexcept {
      for (unsigned i = count; i-- > 0;)
        if (held[i].domain == domain) return drop(i);
      if (elsewhere > 0) --elsewhere;
    }
    void drop(unsigned i) noexcept {
      held[i] = held[count - 1];
      order_for_others();
      --count;
    }

    std::uint32_t owner;
    unsigned count;
    unsigned elsewhere;
    Lease last;  // that it took with the lock
    Lease held[kMost];
  };
  [[gnu::tls_model("initial-exec")]] static constinit thread_local Leases leases_;

  enum class Others : std::uint8_t {
    Leave,
    EndBias,
    Succeed
  };  // what becomes of those who have a slot, or a bias to it
  Slot& slot(unsigned number) const noexcept { return slots_[number]; }
  unsigned preferred() const noexcept;
  unsigned held_slot(std::uint32_t self) const noexcept;  // cpus_ when none
  bool take_last(std::uint32_t self, unsigned& number) noexcept;
  unsigned take_any(std::uint32_t self) noexcept;
  void give_any(std::uint32_t self) noexcept;
  bool try_slot(unsigned number, std::uint32_t from, std::uint32_t self, Others others) noexcept;
  bool try_free_slot(unsigned number, std::uint32_t self, Others others) noexcept;
  unsigned wait_for_slot(std::uint32_t self) noexcept;
  unsigned succeed_the_dead(std::uint32_t self) noexcept;
  class Watch;

  Region* region_ = nullptr;
  Slot* slots_ = nullptr;
  Mapping mapping_;
  Fd fd_;
  unsigned cpus_ = 0;
  std::uint64_t identity_ = 0;
};

// The slot it had last, to which it has a bias.
inline bool Domain::take_last(std::uint32_t self, unsigned& number) noexcept {
  Leases& leases = leases_;
  if (leases.owner != self || leases.count != 0 || leases.last.domain != identity_) return false;
  number = leases.last.slot;
  leases.count = 1;
  leases.held[0] = {identity_, number};
  order_for_others();
  if (slot(number).bias.enter(self)) [[likely]]
    return true;
  leases.count = 0;
  return false;
}

inline unsigned Domain::take_cpu() noexcept {
  const std::uint32_t self = this_owner();
  unsigned number = 0;
  return take_last(self, number) ? number : take_any(self);
}

inline void Domain::give_cpu() noexcept {
  const std::uint32_t self = this_owner();
  Leases& leases = leases_;
  if (leases.count == 1 && leases.held[0].domain == identity_) [[likely]] {
    if (Slot& at = slot(leases.held[0].slot); at.bias.is_inside(self) && get(at.depth) == 0) [[likely]] {
      at.bias.leave(self);
      order_for_others();
      leases.count = 0;
      return;
    }
  }
  give_any(self);
}

// The lease of a virtual CPU, for one invocation.
class Cpu {
 public:
  explicit Cpu(Domain& domain) noexcept : domain_(domain), number_(domain.take_cpu()) {}
  ~Cpu() { domain_.give_cpu(); }
  Cpu(const Cpu&) = delete;
  Cpu& operator=(const Cpu&) = delete;
  unsigned number() const noexcept { return number_; }

 private:
  Domain& domain_;
  unsigned number_;
};

}  // namespace skep::maps
