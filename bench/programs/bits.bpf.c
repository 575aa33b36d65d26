// Population count, bit reversal, highest bit, Morton interleaving: shifts and masks on 64 bits.
#include "program.h"

INLINE u64 count_bits(u64 x) {
  x -= x >> 1 & 0x5555555555555555ULL;
  x = (x & 0x3333333333333333ULL) + (x >> 2 & 0x3333333333333333ULL);
  return ((x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fULL) * 0x0101010101010101ULL >> 56;
}

INLINE u64 reverse_bits(u64 x) {
  x = (x >> 1 & 0x5555555555555555ULL) | (x & 0x5555555555555555ULL) << 1;
  x = (x >> 2 & 0x3333333333333333ULL) | (x & 0x3333333333333333ULL) << 2;
  x = (x >> 4 & 0x0f0f0f0f0f0f0f0fULL) | (x & 0x0f0f0f0f0f0f0f0fULL) << 4;
  return __builtin_bswap64(x);
}

INLINE u64 spread(u64 x) {
  x &= 0xffffffff;
  x = (x | x << 16) & 0x0000ffff0000ffffULL;
  x = (x | x << 8) & 0x00ff00ff00ff00ffULL;
  x = (x | x << 4) & 0x0f0f0f0f0f0f0f0fULL;
  x = (x | x << 2) & 0x3333333333333333ULL;
  return (x | x << 1) & 0x5555555555555555ULL;
}

INLINE int highest_bit(u64 x) {
  int bit = 0;
  for (int step = 32; step; step >>= 1) {
    if (x >> step) x >>= step, bit += step;
  }
  return bit;
}

u64 bench(void* memory, u64 length) {
  const u64* word = memory;
  u64 sum = 0;
  for (u64 i = 0; i < length / 8; i++) {
    u64 x = word[i];
    sum += count_bits(x) + (reverse_bits(x) ^ (spread(x) | spread(x >> 32) << 1)) + (u64)highest_bit(x >> (x & 63));
  }
  return sum;
}

#ifndef __bpf__
void prepare(void* memory, u64 length) { fill_random(memory, length); }
#endif
