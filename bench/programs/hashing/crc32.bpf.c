// CRC-32 by table.
#include "program.h"

static u32 table[256];

PROGRAM(setup) {
  for (u32 n = 0; n < 256; n++) {
    u32 value = n;
    for (u32 bit = 0; bit < 8; bit++) value = value >> 1 ^ (-(value & 1) & 0xedb88320);
    table[n] = value;
  }
  return 0;
}

PROGRAM(bench) {
  PACKET(packet);
  u32 crc = 0xffffffff;
  for (u32 i = 0; i < kPacket; i++) crc = crc >> 8 ^ table[(crc ^ packet[i]) & 0xff];
  return (s32)~crc;
}

#ifndef __bpf__
void prepare(u8* packet) { fill_random(packet, kPacket); }
#endif
