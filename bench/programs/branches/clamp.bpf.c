// Least, greatest and clamped values, absolute differences: small diamonds that a compiler makes conditional moves of.
#include "program.h"

PROGRAM(bench) {
  PACKET(packet);
  const s32* value = (const s32*)packet;
  s32 least = (s32)UNKNOWN(0x7fffffffu), greatest = -(s32)UNKNOWN(0x7fffffffu), last = (s32)UNKNOWN(0u);
  s32 low = -(s32)UNKNOWN(1000000000u), high = (s32)UNKNOWN(1000000000u);
  u32 sum = UNKNOWN(0u);
  for (u32 i = 0; i < 256; i++) {
    s32 x = value[i];
    if (x < least) least = x;
    if (x > greatest) greatest = x;
    s32 y = x < low ? low : x > high ? high : x;
    s32 d = y - last;
    sum += (u32)(d < 0 ? -d : d);
    last = y;
  }
  return (s32)(sum ^ (u32)least ^ (u32)greatest);
}

#ifndef __bpf__
void prepare(u8* packet) { fill_random(packet, kPacket); }
#endif
