// Where this process's bpf(2) calls go: to a hive or to the kernel.
//
// libbpf reaches bpf(2) through libc's `syscall` symbol only. A program that links skep_abi_syscall defines that symbol
// and every call arrives here (ARCHITECTURE, decision 1). A call goes
//   1. to this thread's target, while a Target guard lives;
//   2. else, when a descriptor in its attribute is an object of an attached hive, to that hive;
//   3. else to the process's hive, if one was set;
//   4. else to the kernel, as does every other system call, by the system call instruction, with libc's errno.
// The thread's target, the list of attached hives and the process's hive are the only state. Threads: any; a Target
// stays on its thread. Cost: one comparison for other system calls; rule 2 asks the hives, some microseconds. Tested
// by: abi/route_test.cc.
#pragma once

#include "hive/hive.h"

namespace skep::abi {

// Somebody who answers bpf(2) calls: a value or a negative errno.
class Answerer {
 public:
  virtual ~Answerer() = default;
  virtual long bpf(int command, void* attr, unsigned size) noexcept = 0;
};

// While it lives, bpf(2) calls of this thread go to one place. Guards nest.
class [[nodiscard]] Target {
 public:
  ~Target();
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;

 private:
  friend Target use(hive::Hive& hive) noexcept;
  friend Target use_kernel() noexcept;
  friend Target use(Answerer& answerer) noexcept;
  enum class Kind : unsigned char { Hive, Kernel, Answerer };
  Target(Kind kind, hive::Hive* hive, Answerer* answerer) noexcept;
  friend long bpf(int command, void* attr, unsigned size) noexcept;
  friend int ring_buffer_wakeup(int fd) noexcept;

  Kind kind_;
  hive::Hive* hive_;
  Answerer* answerer_;
  const Target* outer_;
};
Target use(hive::Hive& hive) noexcept;
Target use_kernel() noexcept;
Target use(Answerer& answerer) noexcept;

// While it lives, calls on descriptors of the hive's maps and programs reach it without a Target.
class [[nodiscard]] Attached {
 public:
  explicit Attached(hive::Hive& hive);
  ~Attached();
  Attached(const Attached&) = delete;
  Attached& operator=(const Attached&) = delete;

 private:
  hive::Hive& hive_;
};

// The hive of calls that nothing else decides, for the rest of the process's life, and who says what the calling thread
// may do there (null: everything).
using PrivilegeSource = hive::Privilege (*)() noexcept;
void set_process_hive(hive::Hive* hive, PrivilegeSource privilege = nullptr) noexcept;

// bpf(2), routed: a value or a negative errno.
long bpf(int command, void* attr, unsigned size) noexcept;

// The eventfd that is written when ring buffer `fd` of a hive in this process wakes its reader; -1 for
// every other descriptor. It belongs to the map.
int ring_buffer_wakeup(int fd) noexcept;

}  // namespace skep::abi
