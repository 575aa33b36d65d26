// Random sampling: a random number for each of 64 packets.
#include "program.h"

static u32 chosen;

PROGRAM(bench) {
  PACKET(packet);
  u32 sum = 0;
  chosen = 0;
  for (u32 i = 0; i < 64; i++) {
    if (bpf_get_prandom_u32() % 100 < 10) chosen++;
    sum += packet[i];
  }
  return (s32)(sum + (chosen > 64));
}

#ifndef __bpf__
void prepare(u8* packet) { fill_random(packet, kPacket); }
#endif
