// Small subprograms calling each other, four frames deep, with a little stack each.
#include "program.h"

CALLED u64 leaf(u64 x) {
  OPAQUE(x);
  return x * 3 + 1;
}

CALLED u64 inner(const u64* pair) { return leaf(pair[0]) + leaf(pair[1]); }

CALLED u64 middle(u64 a, u64 b) {
  volatile u64 pair[2] = {a, b};
  return inner((const u64*)pair) ^ a;
}

CALLED u64 outer(u64 a, u64 b) { return middle(a ^ b, a + 1) + middle(b, a); }

PROGRAM(bench) {
  PACKET(packet);
  const u64* word = (const u64*)packet;
  u64 sum = 0;
  for (u32 i = 0; i < 64; i++) sum = outer(word[i], sum) + i;
  return (u32)(sum ^ sum >> 32);
}

#ifndef __bpf__
void prepare(u8* packet) { fill_random(packet, kPacket); }
#endif
