// Exponentially weighted averages and variances in fixed point: what a latency tracker keeps.
#include "program.h"

PROGRAM(bench) {
  PACKET(packet);
  const u32* sample = (const u32*)packet;
  s64 mean = 0, deviation = 0, worst = 0;
  for (u32 i = 0; i < kPacket / 4; i++) {
    s64 x = (s64)(sample[i] & 0xfffff) << 10, error = x - mean;
    mean += error >> 3;
    if (error < 0) error = -error;
    deviation += (error - deviation) >> 2;
    if (error > worst) worst = error;
  }
  return (s32)(mean ^ deviation ^ worst);
}

#ifndef __bpf__
void prepare(u8* packet) { fill_random(packet, kPacket); }
#endif
