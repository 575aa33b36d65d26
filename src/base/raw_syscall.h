// A system call by its instruction, past libc: for code that must not meet our own definition of libc's `syscall`
// (src/abi), and for that definition itself. Result as the kernel gives it: negative errno or a value.
#pragma once

namespace skep {

// As the sixth argument of a call that has fewer: the filter of `skep exec` (supervisor/calls.def) lets the call pass
// to the kernel. For calls of our own, in programs that run under it.
inline constexpr long kUnasked = 0x736b6570;

inline long raw_syscall(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) noexcept {
#if defined(__x86_64__)
  long result;
  register long r10 asm("r10") = d;
  register long r8 asm("r8") = e;
  register long r9 asm("r9") = f;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register long x8 asm("x8") = number;
  register long x0 asm("x0") = a;
  register long x1 asm("x1") = b;
  register long x2 asm("x2") = c;
  register long x3 asm("x3") = d;
  register long x4 asm("x4") = e;
  register long x5 asm("x5") = f;
  asm volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
  return x0;
#else
#error "no system call instruction known for this machine"
#endif
}

}  // namespace skep
