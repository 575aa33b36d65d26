// A flow cache in an LRU map with room to spare: found, counted, and every eighth written anew.
#include "program.h"

struct flow {
  u32 from, to;
  u16 from_port, to_port;
  u32 protocol;
};
MAP(flows, LRU_HASH, struct flow, u64, 4096);

PROGRAM(setup) {
  for (u32 i = 0; i < 256; i++) {
    struct flow flow = {i, i * 7, 80, 443, 6};
    u64 one = 1;
    bpf_map_update_elem(&flows, &flow, &one, BPF_ANY);
  }
  return 0;
}

PROGRAM(bench) {
  PACKET(packet);
  u64 sum = 0;
  for (u32 i = 0; i < 64; i++) {
    struct flow flow = {packet[i], packet[i] * 7u, 80, 443, 6};
    u64* found = bpf_map_lookup_elem(&flows, &flow);
    if (found) ++*found, sum += i;
    u64 value = 5;
    if ((i & 7) == 0) bpf_map_update_elem(&flows, &flow, &value, BPF_ANY);
  }
  return (s32)sum;
}

#ifndef __bpf__
void prepare(u8* packet) { fill_random(packet, kPacket); }
#endif
