// Errno values that Linux returns from packet helpers and libc has no name for.
#pragma once

namespace skep::packet {

inline constexpr int kNotSupported = 524;  // ENOTSUPP, not libc's ENOTSUP

}  // namespace skep::packet
