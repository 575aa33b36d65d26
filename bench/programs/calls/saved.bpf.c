// Subprograms that keep values across calls of their own: registers that must be saved.
#include "program.h"

CALLED u64 mix(u64 a, u64 b) {
  OPAQUE(a);
  return (a ^ b >> 7) * 0x9e3779b97f4a7c15ULL;
}

CALLED u64 combine(u64 a, u64 b, u64 c, u64 d) {
  u64 x = mix(a, b), y = mix(c, d), z = mix(x, c);
  return mix(y, a) + x * 3 + (z ^ d) + b;
}

PROGRAM(bench) {
  PACKET(packet);
  const u64* word = (const u64*)packet;
  u64 sum = 0;
  for (u32 i = 0; i < 60; i++) sum += combine(word[i], word[i + 1], sum, word[i + 2]);
  return (u32)(sum ^ sum >> 32);
}

#ifndef __bpf__
void prepare(u8* packet) { fill_random(packet, kPacket); }
#endif
