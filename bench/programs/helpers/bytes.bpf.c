// Pieces of the packet at variable offsets, loaded by a helper.
#include "program.h"

PROGRAM(bench) {
  u32 sum = 0, offset = 14;
  for (u32 i = 0; i < 32; i++) {
    u32 piece[4] = {0};
    if (bpf_xdp_load_bytes(ctx, offset, piece, 16)) break;
    sum = sum * 3 + (piece[0] ^ piece[1]) + piece[3];
    offset = 14 + (sum & 1023);
  }
  return (s32)sum;
}

#ifndef __bpf__
void prepare(u8* packet) { fill_random(packet, kPacket); }
#endif
