// The seccomp filter of a process tree: its bpf(2) calls, however they are made, wait for an answer from a listener.
//
// Under the filter nothing reaches the kernel's own bpf(2); calls by other instruction sets' numbers (i386, x32) get
// ENOSYS. All other system calls go through; the filter costs them some nanoseconds. An ordinary user's setuid programs
// stay unprivileged (no_new_privs), as seccomp(2) demands. Tested by: tests/exec.
#pragma once

#include <cstdint>

#include "base/fd.h"
#include "base/result.h"

namespace skep::supervisor {

// Whom programs are told that they run as: the user they run as, or root, to whom they then owe no other right than
// before.
enum class As : std::uint8_t { User, Root };

// For the calling thread and all that come of it, for good: the listener. EBUSY: there is one around this process
// already, which gets its calls, also where only this one is to be root: there the filter itself answers what is a
// number. Others where the kernel has no such thing (before 5.0).
Result<Fd> install_filter(As as);

}  // namespace skep::supervisor
