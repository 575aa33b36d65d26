// IPv6 extension headers of 16 packets: a chain of header types and lengths up to the transport, with a bounds check
// for each.
#include "program.h"

PROGRAM(bench) {
  PACKET(packet);
  u32 sum = 0;
  const u8* end = (const u8*)(long)ctx->data_end;
  for (u32 i = 0; i < 16; i++) {
    const u8* ip = packet + i * 120;
    u32 next = ip[6], at = 40;
    for (u32 j = 0; j < 4; j++) {
      if (next != 0 && next != 43 && next != 60 && next != 44) break;
      const u8* header = ip + (at & 127);
      OPAQUE(header);
      if (header + 2 > end) return 0;
      next = header[0];
      at += next == 44 ? 8 : 8 + (header[1] & 1) * 8;
      if (at > 100) break;
    }
    sum = sum * 5 + next + at;
  }
  return (s32)sum;
}

#ifndef __bpf__
void prepare(u8* packet) {
  static const u8 chain[] = {0, 43, 60, 6, 44, 17, 58, 60};
  fill_random(packet, kPacket);
  for (u32 i = 0; i < 16; i++) {
    packet[i * 120 + 6] = chain[i % 3];
    for (u32 j = 40; j < 64; j += 8) packet[i * 120 + j] = chain[(i * 7 + j / 8) & 7];
  }
}
#endif
