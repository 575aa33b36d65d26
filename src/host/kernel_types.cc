#include "host/kernel_types.h"

#include <cstddef>

// In the assembly that the build makes of kernel_types.c.
extern "C" __attribute__((visibility("hidden"))) const std::byte skep_kernel_types[], skep_kernel_types_end[];

namespace skep::host {

Bytes kernel_types() noexcept { return {skep_kernel_types, skep_kernel_types_end}; }

}  // namespace skep::host
