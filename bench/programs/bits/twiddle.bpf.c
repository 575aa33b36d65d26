// Population count, bit reversal and interleaving: shifts and masks on 64 bits.
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

PROGRAM(bench) {
  PACKET(packet);
  const u64* word = (const u64*)packet;
  u64 sum = 0;
  for (u32 i = 0; i < 128; i++) {
    u64 x = word[i];
    sum += count_bits(x) + (reverse_bits(x) ^ (spread(x) | spread(x >> 32) << 1));
  }
  return (u32)(sum ^ sum >> 32);
}

#ifndef __bpf__
void prepare(u8* packet) { fill_random(packet, kPacket); }
#endif
