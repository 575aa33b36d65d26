// Sorts 32 numbers at a time by insertion into a small table.
#include "program.h"

static u32 table[32];

PROGRAM(bench) {
  PACKET(packet);
  const u32* number = (const u32*)packet;
  u32 sum = 0;
  for (u32 round = 0; round < 4; round++) {
    for (u32 i = 0; i < 32; i++) {
      u32 x = number[round * 32 + i], j = i;
      while (j > 0 && table[(j - 1) & 31] > x) table[j & 31] = table[(j - 1) & 31], j--;
      table[j & 31] = x;
    }
    for (u32 i = 0; i < 32; i++) sum = sum * 3 + table[i];
  }
  return (s32)sum;
}

#ifndef __bpf__
void prepare(u8* packet) { fill_random(packet, kPacket); }
#endif
