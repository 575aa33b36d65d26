// The control region that all processes of a hive share: participants, virtual CPUs, run statistics.
//
// "CPU" is a lease (ARCHITECTURE, decision 4): user threads are preempted, so per-CPU state is handed to
// one thread at a time. An invocation that needs it holds a Cpu for its duration; nested runs on the same thread share
// it, also those that begin in a signal handler, at whatever instruction. A slot holds its owner and the
// depth of nesting, so a lease does not survive a fork.
//
// Nobody else writes the values of a slot while its owner lives: who finds all slots taken waits until one is given
// back, however often they change hands before him. Holders that died are succeeded at once. So that nobody waits
// forever, two more are: one that is stopped (by a signal or a debugger) and keeps the same lease for a second while
// somebody waits for it, and any that keeps it for ten. Such a one writes beside its successor when it goes on: what
// either adds meanwhile may be lost. Cost: one compare-and-exchange and two stores. Tested by: maps/domain_test.cc,
// hive/exactness_test.cc.
#pragma once

#include <cstdint>
#include <memory>

#include "base/fd.h"
#include "base/mapping.h"
#include "base/result.h"

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
  unsigned held_slot(std::uint32_t self) const noexcept;  // cpus_ when none
  bool try_slot(unsigned slot, std::uint32_t from, std::uint32_t self) noexcept;
  unsigned preferred() const noexcept;
  bool try_free_slot(unsigned slot, std::uint32_t self) noexcept;
  unsigned wait_for_slot(std::uint32_t self) noexcept;
  unsigned succeed_the_dead(std::uint32_t self) noexcept;
  class Watch;

  Region* region_ = nullptr;
  Mapping mapping_;
  Fd fd_;
  unsigned cpus_ = 0;
  std::uint64_t identity_ = 0;
};

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
