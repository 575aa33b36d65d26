// The seccomp filter of a process tree: its bpf(2) calls, however they are made, wait for an answer from a listener.
//
// Under the filter nothing reaches the kernel's own bpf(2); calls by other instruction sets' numbers (i386, x32) get
// ENOSYS. All other system calls go through; the filter costs them some nanoseconds. An ordinary user's setuid programs
// stay unprivileged (no_new_privs), as seccomp(2) demands. Tested by: tests/exec.
#pragma once

#include "base/fd.h"
#include "base/result.h"

namespace skep::supervisor {

// For the calling thread and all that come of it, for good: the listener. EBUSY: there is one around this process
// already, which gets its calls; others where the kernel has no such thing (before 5.0).
Result<Fd> install_filter();

}  // namespace skep::supervisor
