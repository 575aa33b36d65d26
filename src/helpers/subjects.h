// Each subject's rows, as its file binds them.
#pragma once

#include <span>

#include "helpers/bind.h"

namespace skep::helpers {

#define SUBJECT(name) std::span<const Binding> name##_bindings() noexcept;
#include "helpers/subjects.def"

// The same for kernel functions.
#define KFUNC_SUBJECT(name) std::span<const KfuncBinding> name##_bindings() noexcept;
#include "helpers/subjects.def"

// ---- What abandon() does
void discard_reservations(Call& call) noexcept;  // ringbuf.cc
void free_allocations(Call& call) noexcept;      // iterator.cc

}  // namespace skep::helpers
