// Answers the bpf(2) calls of a process tree from outside of it, and those other calls that may be about a hive's
// objects (supervisor/calls.def): the way for what no preloaded library reaches, that is statically linked programs,
// system calls made without libc, and children with an environment of their own.
//
// A call that the filter caught (supervisor/filter.h) waits in the kernel while it is made here on the hive, through
// the same client as everywhere (wire/client.h), with a Caller that reaches into the process that waits: its memory by
// process_vm_readv(2), its descriptors by pidfd_getfd(2), new ones by SECCOMP_IOCTL_NOTIF_ADDFD. Where that is
// forbidden the call fails with EFAULT or EBADF: the supervisor must be allowed to trace the tree, which it is as its
// ancestor. A process that is killed while it waits gets nothing, and what was made for it goes.
//
// What turns out to be about something else is given back to the kernel, which then does the call as it stands. Cost:
// two context switches, those of the host, and some twenty system calls; two context switches and a look at each
// descriptor for what is given back. Tested by: tests/exec.
#pragma once

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "supervisor/answers.h"

namespace skep::supervisor {

class Supervisor {
 public:
  // For the processes behind `listener`, on the hive whose host listens at `hive`.
  Supervisor(Fd listener, std::string hive) : listener_(std::move(listener)), reach_(std::move(hive)) {}

  // Starts answering.
  void start();
  // Ends answering, so that this process may fork or end: no call is half-way then. Those that wait for something are
  // told that they were interrupted; those that come later wait for whoever starts again.
  void stop() noexcept;
  // Whether a process under the filter is left.
  bool is_needed() const noexcept;
  // Waits for the last of them.
  void wait() const noexcept;

 private:
  void answer_calls() noexcept;

  const Fd listener_;
  Reach reach_;
  std::vector<std::thread> threads_;
  std::atomic<unsigned> running_{0};  // of them
};

}  // namespace skep::supervisor
