// Programs that take the place of a global function of another program (BPF_PROG_TYPE_EXT, "freplace"), by links.
//
// The verifier has shown that an extension takes what the function takes (verifier/prepare). What then runs is one
// program made of both (exec/replace.h), bound anew with each link that comes and goes; runs that have begun go on
// with what they began with, and whoever holds a Hive::Program with what that one was. A program in a prog array is not
// extended, nor an extended one put there, as in Linux since 6.13: EBUSY.
//
// Threads: any. Source: the errnos of Linux 6.12. Tested by: tests/exec/extend, hive/attach_test.cc.
#pragma once

#include "hive/request.h"

namespace skep::hive {

// The link of `program`, of type ext, to function `btf_id` of the program `target_fd`; both 0: what it was loaded for,
// once. A descriptor for the caller, or a negative errno.
long attach_extension(Request& request, ProgObject& program, std::uint32_t target_fd, std::uint32_t btf_id);

// The link has gone: its function is what it was.
void detach_extension(State& hive, const LinkObject& link) noexcept;

// What runs when `program` is run now. Looks which of its extensions' links have gone.
std::shared_ptr<const exec::Executable> running(State& hive, ProgObject& program);

}  // namespace skep::hive
