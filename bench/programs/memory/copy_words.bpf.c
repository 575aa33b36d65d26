// Copies the packet to another place and back, eight bytes at a time.
#include "program.h"

static u64 place[kPacket / 8];

PROGRAM(bench) {
  PACKET(packet);
  volatile u64* from = (volatile u64*)packet;
  for (u32 i = 0; i < kPacket / 8; i++) place[i] = from[i];
  for (u32 i = 0; i < kPacket / 8; i++) from[i] = place[i] + 1;
  return (s32)place[77];
}

#ifndef __bpf__
void prepare(u8* packet) { fill_random(packet, kPacket); }
#endif
