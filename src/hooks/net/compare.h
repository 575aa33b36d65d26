// The judge: what several engines made of the same packet.
// Tested by: hooks/net/compare_test.cc.
#pragma once

#include <string>
#include <vector>

#include "hooks/net/engine.h"
#include "hooks/net/verdict.h"

namespace skep::hooks::net {

// How `b` differs from `a` on one packet: sentences such as "verdict: checked XDP_PASS, kernel XDP_DROP"; empty when
// equal. Contexts are compared where both engines give them.
std::vector<std::string> differences(Hook hook, std::string_view name_a, const Outcome& a, std::string_view name_b,
                                     const Outcome& b);

}  // namespace skep::hooks::net
