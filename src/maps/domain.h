// The control region that all processes of a hive share: participants, virtual CPUs, run statistics.
//
// "CPU" is a lease (ARCHITECTURE, decision 4): user threads are preempted, so per-CPU state is handed to
// one thread at a time. An invocation that needs it holds a Cpu for its duration; nested runs on the same thread share
// it. A slot holds its owner's thread id and the depth of nesting, so a lease does not survive a fork. Holders that
// died are succeeded by contenders; a living one that keeps the last free slot for a second (stopped in a debugger) is
// too, so that nobody waits forever. Cost: plain stores for a thread that has a bias to its slot (maps/bias.h), which
// is who has had it all the time; else one compare-and-exchange and one store. Tested by: maps/domain_test.cc.
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

 private:
  Domain() = default;
  struct Region;
  struct alignas(64) Slot {
    std::uint32_t owner;  // thread id of the lease's holder, 0: free, or taken by a bias
    std::uint32_t depth;  // nested leases; only the holder touches it
    Bias bias;

    bool is_held_by(std::uint32_t thread) noexcept { return get(owner) == thread || get(bias.inside) == thread; }
    // Who holds it, as far as can be seen; 0: nobody.
    std::uint32_t holder() noexcept {
      const std::uint32_t by_bias = get(bias.inside);
      return by_bias != 0 ? by_bias : get(owner);
    }
  };

  // The leases this thread holds: where to look for them, not whether they are its own, which the slots' words say. A
  // thread rarely holds one, and hardly ever more; beyond the table all slots are searched. And the one it had last.
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
      last = {domain, slot};
      if (count < kMost)
        held[count++] = {domain, slot};
      else
        ++elsewhere;
    }
    void remove(std::uint64_t domain) noexcept {
      for (unsigned i = 0; i < count; ++i)
        if (held[i].domain == domain) return void(held[i] = held[--count]);
      if (elsewhere > 0) --elsewhere;
    }

    std::uint32_t owner;
    unsigned count;
    unsigned elsewhere;
    Lease last;
    Lease held[kMost];
  };
  [[gnu::tls_model("initial-exec")]] static constinit thread_local Leases leases_;

  enum class Others : std::uint8_t {
    Leave,
    EndBias,
    Succeed
  };  // what becomes of those who have a slot, or a bias to it
  Slot& slot(unsigned number) const noexcept { return slots_[number]; }
  unsigned held_slot(std::uint32_t self) const noexcept;  // cpus_ when none
  bool take_last(std::uint32_t self) noexcept;
  unsigned take_any(std::uint32_t self) noexcept;
  void give_any(std::uint32_t self) noexcept;
  bool try_slot(unsigned number, std::uint32_t from, std::uint32_t self, Others others) noexcept;

  Region* region_ = nullptr;
  Slot* slots_ = nullptr;
  Mapping mapping_;
  Fd fd_;
  unsigned cpus_ = 0;
  std::uint64_t identity_ = 0;
};

// The slot it had last, to which it has a bias.
inline bool Domain::take_last(std::uint32_t self) noexcept {
  Leases& leases = leases_;
  if (leases.owner != self || leases.count != 0 || leases.last.domain != identity_) return false;
  Slot& at = slot(leases.last.slot);
  if (!at.bias.enter(self)) return false;
  set(at.depth, 1U);
  leases.held[0] = leases.last;
  leases.count = 1;
  return true;
}

inline unsigned Domain::take_cpu() noexcept {
  const std::uint32_t self = thread_id();
  if (take_last(self)) [[likely]]
    return leases_.last.slot;
  return take_any(self);
}

inline void Domain::give_cpu() noexcept {
  const std::uint32_t self = thread_id();
  Leases& leases = leases_;
  if (leases.count == 1 && leases.held[0].domain == identity_) [[likely]] {
    if (Slot& at = slot(leases.held[0].slot); get(at.bias.inside) == self && get(at.depth) == 1) {
      leases.count = 0;
      return at.bias.leave();
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
