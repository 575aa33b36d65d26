// Longest prefixes: routes of 8, 16 and 24 bits for addresses from the packet.
#include "program.h"

struct prefix {
  u32 length;
  u8 address[4];
};
LPM_MAP(routes, struct prefix, u32, 256);

PROGRAM(setup) {
  for (u32 i = 0; i < 192; i++) {
    struct prefix prefix = {8 + i % 3 * 8, {(u8)(i * 5), (u8)(i % 3 ? i : 0), (u8)(i % 3 == 2 ? i * 3 : 0), 0}};
    u32 route = i;
    bpf_map_update_elem(&routes, &prefix, &route, BPF_ANY);
  }
  return 0;
}

PROGRAM(bench) {
  PACKET(packet);
  u32 sum = 0;
  for (u32 i = 0; i < 32; i++) {
    struct prefix prefix = {32, {packet[i * 4], packet[i * 4 + 1], packet[i * 4 + 2], packet[i * 4 + 3]}};
    u32* route = bpf_map_lookup_elem(&routes, &prefix);
    sum = sum * 3 + (route ? *route : 1);
  }
  return (s32)sum;
}

#ifndef __bpf__
void prepare(u8* packet) {
  fill_random(packet, kPacket);
  for (u32 i = 0; i < 32; i++) packet[i * 4] = (u8)(i * 5), packet[i * 4 + 1] = (u8)i;
}
#endif
