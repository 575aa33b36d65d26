// A connection table: entries replaced, added and deleted.
#include "program.h"

struct flow {
  u32 from, to;
  u16 from_port, to_port;
  u32 protocol;
};
struct state {
  u64 packets, last;
};
MAP(flows, HASH, struct flow, struct state, 1024);

PROGRAM(bench) {
  PACKET(packet);
  u64 sum = 0;
  for (u32 i = 0; i < 32; i++) {
    struct flow flow = {packet[i], 1, 80, 443, 6};
    struct state state = {1, i};
    bpf_map_update_elem(&flows, &flow, &state, BPF_ANY);
    struct state* found = bpf_map_lookup_elem(&flows, &flow);
    if (found) sum = sum * 3 + found->last;
    if (i & 1) sum += (u32)-bpf_map_delete_elem(&flows, &flow);
  }
  return (u32)(sum ^ sum >> 32);
}

#ifndef __bpf__
void prepare(u8* packet) { fill_random(packet, kPacket); }
#endif
