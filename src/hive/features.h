// What a hive can run and hold, for tools that list it (`skep feature`).
#pragma once

#include <cstddef>

#include "spec/helpers.h"
#include "spec/types.h"

namespace skep::hive {

// Whether calls of the helper do something: it has a body, or the engines do it themselves (tail_call).
bool runs(spec::HelperId helper) noexcept;
// Whether maps of the type can be created.
bool holds(spec::MapType type) noexcept;
// How many bytes of compiled code there may be: net.core.bpf_jit_limit.
std::size_t most_code() noexcept;

}  // namespace skep::hive
