// MurmurHash3's 64-bit mixing over 16-byte keys, with multiplications and rotations.
#include "program.h"

INLINE u64 rotate(u64 x, int by) { return x << by | x >> (64 - by); }
INLINE u64 finish(u64 x) {
  x ^= x >> 33, x *= 0xff51afd7ed558ccdULL;
  x ^= x >> 33, x *= 0xc4ceb9fe1a85ec53ULL;
  return x ^ x >> 33;
}

PROGRAM(bench) {
  PACKET(packet);
  const u64 *word = (const u64*)packet, c1 = 0x87c37b91114253d5ULL, c2 = 0x4cf5ad432745937fULL;
  u64 h1 = 7, h2 = 11;
  for (u32 i = 0; i < 128; i++) {
    u64 k1 = rotate(word[i * 2] * c1, 31) * c2, k2 = rotate(word[i * 2 + 1] * c2, 33) * c1;
    h1 = (rotate(h1 ^ k1, 27) + h2) * 5 + 0x52dce729;
    h2 = (rotate(h2 ^ k2, 31) + h1) * 5 + 0x38495ab5;
  }
  h1 = finish(h1 ^ kPacket), h2 = finish(h2 ^ kPacket);
  return (u32)(h1 + h2);
}

#ifndef __bpf__
void prepare(u8* packet) { fill_random(packet, kPacket); }
#endif
