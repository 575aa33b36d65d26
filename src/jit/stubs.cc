#include "jit/stubs.h"

#if defined(__x86_64__)
// What C++ cannot say: the stack pointer, kept and put back. The unwinder is told where registers are.
asm(R"(
  .text
  .p2align 4
  .globl skep_jit_guard
  .hidden skep_jit_guard
  .type skep_jit_guard, @function
skep_jit_guard:
  .cfi_startproc
  endbr64
  push %rbp
  .cfi_def_cfa_offset 16
  .cfi_offset %rbp, -16
  mov %rsp, %rbp
  .cfi_def_cfa_register %rbp
  push %rbx
  push %r12
  push %r13
  push %r14
  push %r15
  sub $8, %rsp
  .cfi_offset %rbx, -24
  .cfi_offset %r12, -32
  .cfi_offset %r13, -40
  .cfi_offset %r14, -48
  .cfi_offset %r15, -56
  mov %rdi, %r12
  mov 24(%rbp), %rax
  mov %rbp, (%rax)
  call *16(%rbp)
.Lskep_jit_out:
  lea -40(%rbp), %rsp
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbx
  pop %rbp
  .cfi_def_cfa %rsp, 8
  ret
  .cfi_endproc
  .size skep_jit_guard, . - skep_jit_guard

  .p2align 4
  .globl skep_jit_leave
  .hidden skep_jit_leave
  .type skep_jit_leave, @function
skep_jit_leave:
  endbr64
  mov %rdi, %rbp
  xor %eax, %eax
  jmp .Lskep_jit_out
  .size skep_jit_leave, . - skep_jit_leave
)");
#else
// Elsewhere nothing is compiled, and nobody comes here.
std::uint64_t skep_jit_guard(skep::exec::Call*, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t,
                             std::uint64_t, const void*, std::uint64_t*) noexcept {
  __builtin_trap();
}
void skep_jit_leave(std::uint64_t) noexcept { __builtin_trap(); }
#endif
