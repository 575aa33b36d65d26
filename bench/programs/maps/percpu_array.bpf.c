// Counters per CPU.
#include "program.h"

MAP(counters, PERCPU_ARRAY, u32, u64, 64);

PROGRAM(bench) {
  PACKET(packet);
  u64 sum = 0;
  for (u32 i = 0; i < 64; i++) {
    u32 index = packet[i] & 63;
    u64* counter = bpf_map_lookup_elem(&counters, &index);
    if (!counter) continue;
    *counter += packet[i];
    sum += *counter != 0;
  }
  return (s32)sum;
}

#ifndef __bpf__
void prepare(u8* packet) { fill_random(packet, kPacket); }
#endif
