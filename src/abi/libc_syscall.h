// The frame around our definitions of libc's `syscall`: reads its variable arguments, passes bpf(2) to `bpf` and
// everything else on to the kernel, and turns a negative errno into libc's -1 and errno.
#pragma once

#include <sys/syscall.h>

#include <cerrno>
#include <cstdarg>

#include "base/raw_syscall.h"

namespace skep::abi {

// Of a call's result as the kernel gives it, what libc's function returns.
inline long libc_result(long result) noexcept {
  if (result >= 0 || result < -4095) return result;
  errno = static_cast<int>(-result);
  return -1;
}

// Bpf: long(int command, void* attr, unsigned size). `list` stands at the first argument behind `number`.
template <class Bpf>
long libc_syscall(long number, std::va_list list, Bpf bpf) noexcept {
  // A system call has up to six arguments; like libc, all six are read whether or not they were passed.
  long arg[6];
  for (long& value : arg) value = va_arg(list, long);
  if (number != SYS_bpf) return libc_result(raw_syscall(number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]));
  return libc_result(bpf(static_cast<int>(arg[0]), reinterpret_cast<void*>(arg[1]), static_cast<unsigned>(arg[2])));
}

}  // namespace skep::abi
