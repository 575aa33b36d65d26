// SipHash-2-4 over 64-byte messages.
#include "program.h"

INLINE u64 rotate(u64 x, int by) { return x << by | x >> (64 - by); }

INLINE void rounds(u64 v[4], int n) {
  for (int i = 0; i < n; i++) {
    v[0] += v[1], v[1] = rotate(v[1], 13) ^ v[0], v[0] = rotate(v[0], 32);
    v[2] += v[3], v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3], v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1], v[1] = rotate(v[1], 17) ^ v[2], v[2] = rotate(v[2], 32);
  }
}

INLINE u64 siphash(const u64* word, int words, u64 k0, u64 k1) {
  u64 v[4] = {k0 ^ 0x736f6d6570736575ULL, k1 ^ 0x646f72616e646f6dULL, k0 ^ 0x6c7967656e657261ULL,
              k1 ^ 0x7465646279746573ULL};
  for (int i = 0; i < words; i++) {
    v[3] ^= word[i];
    rounds(v, 2);
    v[0] ^= word[i];
  }
  u64 last = (u64)words * 8 << 56;
  v[3] ^= last;
  rounds(v, 2);
  v[0] ^= last;
  v[2] ^= 0xff;
  rounds(v, 4);
  return v[0] ^ v[1] ^ v[2] ^ v[3];
}

PROGRAM(bench) {
  PACKET(packet);
  u64 sum = 0;
  for (u32 i = 0; i < 32; i++) sum ^= siphash((const u64*)(packet + i * 64), 8, sum, i);
  return (u32)(sum ^ sum >> 32);
}

#ifndef __bpf__
void prepare(u8* packet) { fill_random(packet, kPacket); }
#endif
