// Structures copied whole: records of 48 bytes from the packet to a table, with one field changed.
#include "program.h"

struct record {
  u64 id;
  u32 address[8];
  u16 port, flags;
  u32 bytes;
};
static struct record table[64];

PROGRAM(bench) {
  PACKET(packet);
  const struct record* from = (const struct record*)packet;
  u32 sum = 0;
  for (u32 i = 0; i < 42; i++) {
    struct record record = from[i];
    record.bytes += record.port;
    table[record.id & 63] = record;
    sum += table[i].bytes;
  }
  return (s32)sum;
}

#ifndef __bpf__
void prepare(u8* packet) { fill_random(packet, kPacket); }
#endif
