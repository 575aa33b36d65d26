// A load balancer's way through its maps: service by address and port, server by hash, counter by server.
#include "program.h"

struct service {
  u32 address;
  u16 port, protocol;
};
struct server {
  u32 address, weight;
};
MAP(services, HASH, struct service, u32, 256);
MAP(servers, ARRAY, u32, struct server, 512);
MAP(counters, ARRAY, u32, u64, 512);

PROGRAM(setup) {
  for (u32 i = 0; i < 64; i++) {
    struct service service = {i, 80, 6};
    u32 base = i;
    bpf_map_update_elem(&services, &service, &base, BPF_ANY);
  }
  for (u32 i = 0; i < 512; i++) {
    struct server server = {i * 2654435761u, i};
    u32 index = i;
    bpf_map_update_elem(&servers, &index, &server, BPF_ANY);
  }
  return 0;
}

PROGRAM(bench) {
  PACKET(packet);
  const u32* word = (const u32*)packet;
  u32 sum = 0;
  for (u32 i = 0; i < 32; i++) {
    struct service service = {packet[i] & 127, 80, 6};
    u32* base = bpf_map_lookup_elem(&services, &service);
    if (!base) continue;
    u32 hash = (word[i + 32] ^ word[i + 33] >> 3) * 0x9e3779b1u;
    u32 index = *base * 8 + (hash >> 29);
    struct server* server = bpf_map_lookup_elem(&servers, &index);
    if (!server) continue;
    u64* counter = bpf_map_lookup_elem(&counters, &index);
    if (counter) __sync_fetch_and_add(counter, 1);
    sum = sum * 3 + server->address;
  }
  return (s32)sum;
}

#ifndef __bpf__
void prepare(u8* packet) { fill_random(packet, kPacket); }
#endif
