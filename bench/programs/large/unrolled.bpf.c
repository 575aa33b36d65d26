// A program of thirteen thousand instructions: hashing and counting unrolled over the whole packet, every path run
// once.
#include "program.h"

INLINE u32 rotate(u32 x, int by) { return x << by | x >> (32 - by); }

static u32 seen[256];

PROGRAM(bench) {
  PACKET(packet);
  u32 a = 0xdeadbeef, b = a, c = a, d = 1;
#pragma clang loop unroll(full)
  for (u32 i = 0; i < 220; i++) {
    const u32* word = (const u32*)(packet + i * 6);
    a += word[0] ^ packet[i], b += *(const u16*)(packet + i * 6 + 4);
    a -= c, a ^= rotate(c, 4), c += b;
    b -= a, b ^= rotate(a, 6), a += c;
    c -= b, c ^= rotate(b, 8), b += a;
    if (a & 1) d = d * 3 + b;
    seen[c & 255] += d;
    if (seen[b & 255] > c) d ^= i;
  }
  for (u32 i = 0; i < 256; i++) d += seen[i], seen[i] = 0;
  return (s32)(a ^ b ^ c ^ d);
}

#ifndef __bpf__
void prepare(u8* packet) { fill_random(packet, kPacket); }
#endif
