// 64-bit division and remainder by variables: the digits of numbers in several bases, and shares of a total.
#include "program.h"

PROGRAM(bench) {
  PACKET(packet);
  const u64* word = (const u64*)packet;
  u64 sum = 0;
  for (u32 i = 0; i < 64; i++) {
    u64 n = word[i] >> 8, base = 10 + (word[i] & 7), digits = 0;
    for (u32 j = 0; j < 6; j++) digits = digits * 31 + n % base, n /= base;
    sum += digits + word[i + 64] / (word[i] >> 40 | 1);
  }
  return (u32)(sum ^ sum >> 32);
}

#ifndef __bpf__
void prepare(u8* packet) { fill_random(packet, kPacket); }
#endif
