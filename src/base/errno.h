// Error numbers of Linux that no C header has.
#pragma once

#include <cerrno>

namespace skep {

inline constexpr int kNotSupported = 524;  // ENOTSUPP, which is not libc's ENOTSUP

}  // namespace skep
