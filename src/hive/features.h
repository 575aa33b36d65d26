// What a hive can run and hold, for tools that list it (`skep feature`).
#pragma once

#include "spec/helpers.h"
#include "spec/types.h"

namespace skep::hive {

// Whether calls of the helper do something: it has a body, or the engines do it themselves (tail_call).
bool runs(spec::HelperId helper) noexcept;
// Whether maps of the type can be created.
bool holds(spec::MapType type) noexcept;

}  // namespace skep::hive
