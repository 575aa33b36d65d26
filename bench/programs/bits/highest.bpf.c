// The highest bit by halving, as in histograms of powers of two, and shifts by variable distances.
#include "program.h"

INLINE u32 log2_of(u64 x) {
  u32 hi = x >> 32, v = hi ? hi : (u32)x, r, shift;
  r = (v > 0xffff) << 4;
  v >>= r;
  shift = (v > 0xff) << 3;
  v >>= shift, r |= shift;
  shift = (v > 0xf) << 2;
  v >>= shift, r |= shift;
  shift = (v > 0x3) << 1;
  v >>= shift, r |= shift;
  r |= v >> 1;
  return hi ? r + 32 : r;
}

static u32 slots[64];

PROGRAM(bench) {
  PACKET(packet);
  const u64* word = (const u64*)packet;
  u64 sum = 0;
  for (u32 i = 0; i < 256; i++) {
    u64 x = word[i] >> (word[(i + 7) & 255] & 63);
    u32 slot = log2_of(x) & 63;
    slots[slot] = i;
    sum += slot + (x << (slot & 31));
  }
  for (u32 i = 0; i < 64; i++) sum += slots[i] * i;
  return (u32)(sum ^ sum >> 32);
}

#ifndef __bpf__
void prepare(u8* packet) { fill_random(packet, kPacket); }
#endif
