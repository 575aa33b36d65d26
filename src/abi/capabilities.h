// The capabilities that a process on a hive sees, and what they mean to the hive.
//
// An ordinary user owns his hive, but programs look at their capabilities before they call bpf(2), and tests drop them
// to be treated as somebody else. So the four that bpf(2) asks for (CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN, CAP_SYS_ADMIN)
// are granted on top of what the kernel gave the process: capget(2) shows them, capset(2) lowers and raises them for
// the calling thread. What the kernel gave is the kernel's business: those bits go through, and are asked of it. The
// other bits, other versions of the structures and other processes are untouched.
//
// Threads: each has its own, and starts with all that is granted (the kernel's part is inherited as always). Cost: a
// system call. Tested by: abi/capabilities_test.cc.
#pragma once

#include <linux/capability.h>

#include "hive/caller.h"

namespace skep::abi {

class Capabilities {
 public:
  using Set = std::uint64_t;  // bits by CAP_ number

  // Grants what this process's permitted set lacks of the four.
  Capabilities() noexcept;
  // Grants `granted`.
  explicit Capabilities(Set granted) noexcept : granted_(granted) {}

  // As the system calls: 0 or a negative errno.
  long get(cap_user_header_t header, cap_user_data_t data) const noexcept;
  long set(cap_user_header_t header, const __user_cap_data_struct* data) const noexcept;
  // What the calling thread's effective set means to bpf(2).
  hive::Privilege privilege() const noexcept;

 private:
  const Set granted_;
};

}  // namespace skep::abi
