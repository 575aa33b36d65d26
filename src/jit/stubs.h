// The ways into compiled code and, when a program is stopped, out of it. Internal to jit/.
#pragma once

#include <cstdint>

#include "exec/call.h"

extern "C" {
// Calls `code` with the Call in r12 as well as in its place, all callee-saved registers saved, and *`way_out` set to
// what skep_jit_leave needs; returns what the code returns.
std::uint64_t skep_jit_guard(skep::exec::Call* call, std::uint64_t r1, std::uint64_t r2, std::uint64_t r3,
                             std::uint64_t r4, std::uint64_t r5, const void* code, std::uint64_t* way_out) noexcept;
// Goes back to where that guard was called, which returns 0. The frames between vanish: none may have anything to do.
[[noreturn]] void skep_jit_leave(std::uint64_t way_out) noexcept;
}
