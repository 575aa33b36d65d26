// Counters in an array: index from the packet, two fields changed.
#include "program.h"

struct counter {
  u64 packets, bytes;
};
MAP(counters, ARRAY, u32, struct counter, 256);

PROGRAM(bench) {
  PACKET(packet);
  u64 sum = 0;
  for (u32 i = 0; i < 64; i++) {
    u32 index = packet[i];
    struct counter* counter = bpf_map_lookup_elem(&counters, &index);
    if (!counter) continue;
    counter->packets++;
    counter->bytes = i + index;
    sum += counter->bytes;
  }
  return (s32)sum;
}

#ifndef __bpf__
void prepare(u8* packet) { fill_random(packet, kPacket); }
#endif
