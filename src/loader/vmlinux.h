// The header vmlinux.h: every type of the running kernel as C, made from its BTF.
#pragma once

#include <string>

#include "base/result.h"

namespace skep::loader {

inline constexpr const char* kKernelBtf = "/sys/kernel/btf/vmlinux";

// The folder with vmlinux.h of the running kernel, made when it is not there yet: one a kernel release, in the user's
// cache directory. It appears there whole or not at all. Errors: no BTF, or no place to write.
Result<std::string> vmlinux_folder();

}  // namespace skep::loader
