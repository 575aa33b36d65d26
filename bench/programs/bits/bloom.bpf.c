// A Bloom filter in a bitmap: three bits a key, set for half of the keys and asked for all.
#include "program.h"

static u64 bitmap[512];

INLINE u32 mix(u32 x) {
  x ^= x >> 16, x *= 0x7feb352d, x ^= x >> 15, x *= 0x846ca68b;
  return x ^ x >> 16;
}

PROGRAM(bench) {
  PACKET(packet);
  const u32* key = (const u32*)packet;
  u32 found = 0;
  for (u32 i = 0; i < 200; i++) {
    u32 h = mix(key[i]), a = h & 32767, b = (h >> 8) & 32767, c = (h >> 17) & 32767;
    if (i & 1) {
      bitmap[a >> 6 & 511] |= 1ULL << (a & 63);
      bitmap[b >> 6 & 511] |= 1ULL << (b & 63);
      bitmap[c >> 6 & 511] |= 1ULL << (c & 63);
    }
    found += bitmap[a >> 6 & 511] >> (a & 63) & bitmap[b >> 6 & 511] >> (b & 63) & bitmap[c >> 6 & 511] >> (c & 63) & 1;
  }
  return (s32)found;
}

#ifndef __bpf__
void prepare(u8* packet) { fill_random(packet, kPacket); }
#endif
