// Integers as text, read as bpf_strtol and bpf_strtoul do.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace skep::helpers {

// Reads an integer at the start of `text`: blanks, a sign, digits in the base of `flags` (8, 10, 16; 0: told by the
// prefixes 0 and 0x). The bytes read and the value in `value`, which is 0 after an error. -EINVAL: no number, an
// unknown base, a minus sign for the unsigned form; -ERANGE: too large for the form.
std::int64_t read_signed(Bytes text, std::uint64_t flags, std::int64_t& value) noexcept;
std::int64_t read_unsigned(Bytes text, std::uint64_t flags, std::uint64_t& value) noexcept;

}  // namespace skep::helpers
