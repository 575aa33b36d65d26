// Binary searches in a sorted table of 32-bit range starts: a routing table in an array.
#include "program.h"

static u32 start[1024];

PROGRAM(setup) {
  u32 at = 0;
  for (u32 i = 0; i < 1024; i++) start[i] = at, at += 4194304 - (i & 7) * 1000;
  return 0;
}

PROGRAM(bench) {
  PACKET(packet);
  const u32* address = (const u32*)packet;
  u32 sum = 0;
  for (u32 i = 0; i < 64; i++) {
    u32 low = UNKNOWN(0u), wanted = address[i];
    for (u32 step = 512; step; step /= 2)
      if (start[(low + step) & 1023] <= wanted) low += step;
    sum = sum * 3 + low;
  }
  return (s32)sum;
}

#ifndef __bpf__
void prepare(u8* packet) { fill_random(packet, kPacket); }
#endif
