// Eratosthenes: a byte for each number below 512.
#include "program.h"

static u8 composite[512];

PROGRAM(bench) {
  u32 primes = 0;
  for (u32 i = 0; i < 512; i++) composite[i] = 0;
  for (u32 n = 2; n < 512; n++) {
    if (composite[n]) continue;
    primes++;
    for (u32 m = n * n; m < 512; m += n) composite[m] = 1;
  }
  return (s32)primes;
}

#ifndef __bpf__
void prepare(u8* packet) { fill_random(packet, kPacket); }
#endif
