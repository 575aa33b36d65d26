// Counters per CPU and address, in a hash map.
#include "program.h"

MAP(counters, PERCPU_HASH, u32, u64, 256);

PROGRAM(setup) {
  for (u32 i = 0; i < 200; i++) {
    u64 zero = 0;
    u32 key = i;
    bpf_map_update_elem(&counters, &key, &zero, BPF_ANY);
  }
  return 0;
}

PROGRAM(bench) {
  PACKET(packet);
  u64 sum = 0;
  for (u32 i = 0; i < 64; i++) {
    u32 key = packet[i];
    u64* counter = bpf_map_lookup_elem(&counters, &key);
    if (!counter) continue;
    *counter += key;
    sum += i;
  }
  return (s32)sum;
}

#ifndef __bpf__
void prepare(u8* packet) { fill_random(packet, kPacket); }
#endif
