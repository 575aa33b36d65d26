// The format language of bpf_trace_printk, bpf_trace_vprintk and bpf_snprintf: the kernel's subset of printf, its own
// pointer forms, its limits and errors.
//
//   %[-+ 0][width] d i u x X, with l or ll    integers (32 bits without l)
//   %[flags][width] c, s                      a character; a string read from an address, empty when that is bad
//   %p %pK    a number that stands for the address (32 bits of a hash), zeros for NULL
//   %px       the address; %ps %pS %pB: also, as 0x..., for there are no kernel symbols
//   %pI4 %pi4 %pI6 %pi6    4 or 16 bytes at an address, as an IP address (i: with leading zeros, without colons)
//   %pks %pus    a string, as %s without width
//   %%        a per cent sign
// Arguments are read before anything is printed, into 512 bytes; strings and addresses as text count, numbers count 4
// or 8. A string is cut to what is left. Letters and digits that follow a pointer form are swallowed, as in the kernel.
// Source: kernel documentation core-api/printk-formats; limits and errors as tried on Linux 6.18, which
// takes bytes above 127 outside of conversions (6.12 does not). Tested by: helpers/format_test.cc,
// fuzz/helpers_fuzz.cc.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/bytes.h"

namespace skep::helpers {

// Prints `format` (without its NUL) into `to`, cut and NUL-terminated like snprintf does. The length the whole text
// has, or a negative errno with nothing printed: -EINVAL (malformed, more conversions than arguments), -ENOSPC
// (arguments above 512 bytes). `to` may be empty. No allocation.
std::int64_t format_text(std::span<char> to, std::string_view format,
                         std::span<const std::uint64_t> arguments) noexcept;

// The arguments of a variadic helper: at most 12, 8 bytes each, at an address without alignment. False: -EINVAL.
inline constexpr std::size_t kMaxFormatArguments = 12;
bool read_arguments(Bytes from, std::span<std::uint64_t, kMaxFormatArguments> to) noexcept;

}  // namespace skep::helpers
