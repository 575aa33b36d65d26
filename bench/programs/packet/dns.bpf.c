// DNS names: labels with lengths, to lower case, hashed; 32 questions of up to 60 bytes.
#include "program.h"

PROGRAM(bench) {
  PACKET(packet);
  u32 sum = 0;
  for (u32 i = 0; i < 24; i++) {
    const u8* name = packet + i * 64;
    u32 hash = 5381, left = 0, labels = 0;
    for (u32 j = 0; j < 60; j++) {
      u8 c = name[j];
      if (left == 0) {
        if (c == 0 || c > 63) break;
        left = c, labels++;
        continue;
      }
      if ((u8)(c - 'A') < 26) c += 32;
      hash = hash * 33 ^ c;
      left--;
    }
    sum += hash ^ labels << 24;
  }
  return (s32)sum;
}

#ifndef __bpf__
void prepare(u8* packet) {
  static const u8 name[] = "\3www\7Example\4test\3oRg\0";
  for (u32 i = 0; i < kPacket; i++) packet[i] = i % 64 < sizeof name ? name[i % 64] : 0;
  for (u32 i = 0; i < 32; i++) packet[i * 64 + 6] = (u8)('a' + i % 26);
}
#endif
