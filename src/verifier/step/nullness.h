// Pointers that may be NULL, and what a comparison with NULL makes of them and of all that share their origin.
// Source: Documentation/bpf/verifier.rst. Tested by: verifier/explore/verify_test.cc.
#pragma once

#include "verifier/step/walk.h"

namespace skep::verifier {

enum class Nullness : std::uint8_t { NotNull, Null };

// Kinds of pointers that are valid whenever they are there.
bool is_never_null(const Register& reg) noexcept;
// What the pointer is when it is known not to be NULL: of a value of a map of maps the inner map, of a socket map's a
// socket.
void become_not_null(const Walk& walk, Register& reg);
// Register `number` of the current frame was compared with NULL.
void settle_nullness(Walk& walk, State& state, unsigned number, Nullness nullness);

}  // namespace skep::verifier
