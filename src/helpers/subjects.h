// Each subject's rows, as its file binds them.
#pragma once

#include <span>

#include "helpers/bind.h"

namespace skep::helpers {

#define SUBJECT(name) std::span<const Binding> name##_bindings() noexcept;
#include "helpers/subjects.def"
#undef SUBJECT

}  // namespace skep::helpers
