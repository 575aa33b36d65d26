// FNV-1a, a byte at a time, over names of up to 32 bytes.
#include "program.h"

PROGRAM(bench) {
  PACKET(packet);
  u32 all = 0;
  for (u32 i = 0; i < 64; i++) {
    u64 hash = 0xcbf29ce484222325ULL;
    for (u32 j = 0; j < 32; j++) {
      u8 c = packet[i * 32 + j];
      if (!c) break;
      hash = (hash ^ c) * 0x100000001b3ULL;
    }
    all = all * 31 + (u32)(hash ^ hash >> 32);
  }
  return (s32)all;
}

#ifndef __bpf__
void prepare(u8* packet) {
  fill_random(packet, kPacket);
  for (u32 i = 0; i < 64; i++) packet[i * 32 + 8 + i % 24] = 0;
}
#endif
