// What every benchmark program shares. A program is an ordinary XDP program, `bench`, that clang compiles for BPF and,
// from the same source, natively; every form gets the same packet and must return the same numbers and leave the same
// bytes. Whatever it keeps between runs is its own: static variables and maps.
//   bench    is what is measured. It must do the same work however often it ran before.
//   setup    optional: an XDP program too, run once before the first `bench`, to fill maps and variables.
//   prepare  fills the packet, natively and untimed, for every form alike.
// A program passes the kernel's verifier, so its loops and indices are bounded by constants.
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int s32;
typedef long long s64;

#define kPacket 2048  // bytes of every packet

#define INLINE static inline __attribute__((always_inline))
#define CALLED static __attribute__((noinline))         // a subprogram, in both worlds
#define GLOBAL_CALLED __attribute__((noinline)) HIDDEN  // and one that is verified by itself
// The compiler knows nothing of the value of `x` any more.
#define OPAQUE(x) asm volatile("" : "+r"(x))
// A number whose value neither compiler nor verifier know: what depends on it is not followed path by path.
#define UNKNOWN(number) ((number) + nothing)
static volatile u32 nothing;

#ifdef __bpf__
#include "bpf_side.h"
#else
#include "native_side.h"
#endif

// The packet, all of it, or the program ends.
#define PACKET(name)               \
  u8* name = (u8*)(long)ctx->data; \
  if (name + kPacket > (u8*)(long)ctx->data_end) return 0
