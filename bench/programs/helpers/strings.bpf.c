// Names compared with constants by bpf_strncmp.
#include "program.h"

PROGRAM(bench) {
  PACKET(packet);
  u32 sum = 0;
  for (u32 i = 0; i < 32; i++) {
    char name[16];
    __builtin_memcpy(name, packet + i * 16, 16);
    sum = sum * 3 + (bpf_strncmp(name, 16, "eth0") == 0) + (bpf_strncmp(name, 16, "vethernet-12") == 0) * 2;
  }
  return (s32)sum;
}

#ifndef __bpf__
void prepare(u8* packet) {
  fill_random(packet, kPacket);
  for (u32 i = 0; i < 32; i++) memcpy(packet + i * 16, i % 3 ? "vethernet-12\0\0\0" : "eth0\0\0\0\0\0\0\0\0\0\0\0", 16);
}
#endif
