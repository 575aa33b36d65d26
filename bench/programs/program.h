// What every benchmark program shares. A program is one function over plain memory, compiled for BPF and, from the same
// source, natively at -O2; both get the same bytes and must return the same number and leave the same bytes.
// `prepare` fills the memory before each run, natively and untimed. It follows `bench`, which must be first in .text.
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long s64;

#define INLINE static inline __attribute__((always_inline))
#define CALLED static __attribute__((noinline))  // a subprogram, in both worlds

u64 bench(void* memory, u64 length);

#ifndef __bpf__
void prepare(void* memory, u64 length);

INLINE u64 next_random(u64* state) {
  *state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
  return *state >> 24;
}

INLINE void fill_random(void* memory, u64 length) {
  u64 state = 42;
  for (u64 i = 0; i < length; i++) ((u8*)memory)[i] = (u8)next_random(&state);
}

INLINE void copy_text(u8* to, u64 length, const char* text) {
  for (u64 i = 0, at = 0; i < length; i++) {
    to[i] = (u8)text[at++];
    if (!text[at]) at = 0;
  }
}
#endif
