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
  struct Slot;
  enum class Others : std::uint8_t {
    Leave,
    EndBias,
    Succeed
  };  // what becomes of those who have a slot, or a bias to it
  Slot& slot(unsigned number) const noexcept;
  unsigned held_slot(std::uint32_t self) const noexcept;  // cpus_ when none
  bool take_last(std::uint32_t self) noexcept;
  unsigned take_any(std::uint32_t self) noexcept;
  void give_any(std::uint32_t self) noexcept;
  bool try_slot(unsigned number, std::uint32_t from, std::uint32_t self, Others others) noexcept;

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
