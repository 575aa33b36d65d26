// Copies a name out of the packet byte by byte until its end, as programs do where they know no length.
#include "program.h"

static u8 name[64];

PROGRAM(bench) {
  PACKET(packet);
  u32 sum = 0;
  for (u32 i = 0; i < 32; i++) {
    u32 n = 0;
    for (; n < 63; n++) {
      u8 c = packet[i * 64 + n];
      name[n] = c;
      if (!c) break;
    }
    name[n & 63] = 0;
    sum = sum * 7 + n + name[3];
  }
  return (s32)sum;
}

#ifndef __bpf__
void prepare(u8* packet) {
  fill_random(packet, kPacket);
  for (u32 i = 0; i < 32; i++) packet[i * 64 + 10 + i % 50] = 0;
}
#endif
