// Divisions and remainders by constants: calendar fields of timestamps.
#include "program.h"

PROGRAM(bench) {
  PACKET(packet);
  const u32* word = (const u32*)packet;
  u64 sum = 0;
  for (u32 i = 0; i < 256; i++) {
    u32 time = word[i], days = time / 86400, rest = time % 86400;
    u32 hour = rest / 3600, minute = rest % 3600 / 60, second = rest % 60, weekday = (days + 4) % 7;
    u64 micro = (u64)time * 1000003 / 1000000;
    sum += hour * 10000 + minute * 100 + second + weekday * 1000000 + micro % 1000;
  }
  return (u32)(sum ^ sum >> 32);
}

#ifndef __bpf__
void prepare(u8* packet) { fill_random(packet, kPacket); }
#endif
