// A small subprogram without a frame, called in a loop.
#include "program.h"

CALLED u32 step(u32 x, u32 y) {
  OPAQUE(x);
  return x * 3 + (y ^ x >> 5);
}

PROGRAM(bench) {
  PACKET(packet);
  const u32* word = (const u32*)packet;
  u32 sum = 0;
  for (u32 i = 0; i < 256; i++) sum = step(sum, word[i]);
  return (s32)sum;
}

#ifndef __bpf__
void prepare(u8* packet) { fill_random(packet, kPacket); }
#endif
