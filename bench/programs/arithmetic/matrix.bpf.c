// Integer matrix product, 10 by 10.
#include "program.h"

#define N 10
static s64 product[N * N];

PROGRAM(bench) {
  PACKET(packet);
  const s64 *a = (const s64*)packet, *b = a + N * N;
  s64 trace = 0;
  for (u32 i = 0; i < N; i++) {
    for (u32 j = 0; j < N; j++) {
      s64 sum = 0;
      for (u32 k = 0; k < N; k++) sum += a[i * N + k] * b[k * N + j];
      product[i * N + j] = sum;
    }
    trace += product[i * N + i];
  }
  return (s32)(trace ^ trace >> 32 ^ product[N]);
}

#ifndef __bpf__
void prepare(u8* packet) { fill_random(packet, kPacket); }
#endif
