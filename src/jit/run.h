// A run of compiled code: how it is entered, and what it calls besides helpers. Internal to jit/.
#pragma once

#include "exec/executable.h"
#include "jit/x64/compile.h"

namespace skep::jit {

// The entry of Executable::run.
std::uint64_t enter(const exec::Executable& self, exec::Call& call) noexcept;

// Addresses of the functions that compiled code calls.
x64::Services services() noexcept;

}  // namespace skep::jit
