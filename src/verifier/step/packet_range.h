// What comparing a packet pointer with the packet's end, or metadata with its start, proves: how many bytes behind the
// pointer's origin are there. Every pointer with the same id may then access them.
// Source: Documentation/bpf/verifier.rst. Tested by: verifier/explore/verify_test.cc.
#pragma once

#include "verifier/domain/branch.h"
#include "verifier/state/state.h"

namespace skep::verifier {

bool is_any_packet(const Register& reg) noexcept;  // into it, or its end
// What earlier comparisons said of a pointer that was not inside.
Outcome packet_outcome(isa::JumpOp op, const Register& a, const Register& b) noexcept;
// Learns on both sides of `dst op src`; false when these are no two that are compared in this way.
bool learn_packet_range(isa::JumpOp op, unsigned dst, unsigned src, State& other, State& taken);

}  // namespace skep::verifier
