// Reading memory that may not be there, without a signal handler.
//
// The kernel copies: process_vm_readv on this process, which fails where a load would trap. About 0.3 us a call. Where
// the system call itself is refused (a seccomp filter), every read fails, as if nothing were mapped. Threads: any; safe
// after fork. Tested by: helpers/probe_test.cc.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace skep::helpers {

// Copies to.size() bytes from `address`: all of them, or false.
bool safe_read(std::uint64_t address, MutableBytes to) noexcept;
// Copies a string with its NUL; cut, with a NUL at the end, when it does not fit. The bytes written, or -EFAULT.
std::int64_t safe_read_string(std::uint64_t address, MutableBytes to) noexcept;

}  // namespace skep::helpers
