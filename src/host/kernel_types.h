// The BTF of host/kernel_types.c: a kernel's types where the machine has none. Tested by: host/kernel_types_test.cc.
#pragma once

#include "base/bytes.h"

namespace skep::host {

Bytes kernel_types() noexcept;

}  // namespace skep::host
