// The Internet checksum over the packet, 16 bits at a time, and over its first half, 32 bits at a time.
#include "program.h"

PROGRAM(bench) {
  PACKET(packet);
  const u16* half = (const u16*)packet;
  const u32* word = (const u32*)packet;
  u64 a = 0, b = 0;
  for (u32 i = 0; i < kPacket / 2; i++) a += half[i];
  for (u32 i = 0; i < kPacket / 8; i++) b += word[i];
  a = (a & 0xffff) + (a >> 16);
  a = (a & 0xffff) + (a >> 16);
  b = (b & 0xffffffff) + (b >> 32);
  b = (b & 0xffff) + (b >> 16);
  b = (b & 0xffff) + (b >> 16);
  return (s32)(~a & 0xffff) << 16 | (~b & 0xffff);
}

#ifndef __bpf__
void prepare(u8* packet) { fill_random(packet, kPacket); }
#endif
