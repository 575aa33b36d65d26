// What helpers do: their bodies, found by the number a program calls.
//
// A body is an ordinary typed function; its row in spec/helpers.def says what it must look like (bind.h), so a
// signature that does not fit its row does not compile. The bodies stand in one file per subject, each ending with the
// rows it binds. Arguments are what the row promises: whoever runs a program has proven or checked that (memory is
// readable for its size, maps are maps). Everything else (sizes, offsets, flags, kinds of maps) a body checks itself.
// tail_call has no body: engines do it. Threads: any. Cost: body() is a table read; a body adds nothing to its typed
// function. Tested by: helpers/*_test.cc.
#pragma once

#include <cstdint>

#include "exec/call.h"

namespace skep::helpers {

// The body of helper `id`; null when there is none here.
exec::HelperBody body(std::uint32_t id) noexcept;

// The body of the kernel function in this row of spec::kfuncs(); null when there is none here.
exec::HelperBody kfunc_body(std::uint32_t row) noexcept;

// Discards the ring buffer records that a run reserved and never gave back, because its engine stopped it: a record
// that stays open would hide all that follow. Frees what it allocated. To be called behind every run that has
// reservations or allocations.
void abandon(exec::Call& call) noexcept;

}  // namespace skep::helpers
