// What a program type asks of its programs apart from their instructions: the value they return, how they can be tried.
//
// Source: prog_rules.def, Linux 6.12. A value outside the range is the verifier's EINVAL; programs attached to
// functions with checked results (lsm, fmod_ret) have ranges of their own, which come from the function. Tested by:
// spec/prog_rules_test.cc, against the running kernel.
#pragma once

#include <cstdint>
#include <limits>

#include "spec/types.h"

namespace skep::spec {

// What BPF_PROG_TEST_RUN takes for programs of a type.
enum class TestRun : std::uint8_t {
  None,     // ENOTSUPP
  Packet,   // data_in, and for some types ctx_in
  Context,  // ctx_in only
};

// Values of r0 at the exit of the main program, both ends included, as signed 32-bit numbers.
struct ReturnRange {
  std::int32_t min = std::numeric_limits<std::int32_t>::min();
  std::int32_t max = std::numeric_limits<std::int32_t>::max();
  constexpr bool any() const noexcept { return *this == ReturnRange{}; }
  constexpr bool contains(std::int32_t value) const noexcept { return value >= min && value <= max; }
  friend constexpr bool operator==(const ReturnRange&, const ReturnRange&) = default;
};

// What a program may do to the packet through pointers into it.
enum class PacketRights : std::uint8_t { None, Read, ReadWrite };
PacketRights packet_rights(ProgType type) noexcept;

// The context lies in memory as the program sees it: accesses are not rewritten, and helpers may be handed it as bytes.
bool has_plain_context(ProgType type) noexcept;

TestRun test_run(ProgType type) noexcept;
ReturnRange return_range(ProgType type, AttachType attach) noexcept;

}  // namespace skep::spec
