// Rules tried one after the other on five fields: a small firewall without maps.
#include "program.h"

struct flow {
  u32 from, to;
  u16 from_port, to_port;
  u8 protocol, flags;
  u16 length;
};

INLINE u32 verdict(const struct flow* f) {
  if (f->protocol == 1 && f->length > 1000) return 1;
  if ((f->from & 0xff) == 10 && (f->to & 0xff) != 10) return 2;
  if (f->to_port == 22 && (f->from & 0xffff) != 0xa8c0) return 3;
  if (f->protocol == 6 && (f->flags & 0x3f) == 0x29) return 4;
  if (f->to_port >= 6000 && f->to_port <= 6063) return 5;
  if (f->from_port < 1024 && f->to_port < 1024 && f->from_port != f->to_port) return 6;
  if (f->protocol == 17 && f->to_port == 53 && f->length > 512) return 7;
  if (f->length < 20) return 8;
  if ((f->from ^ f->to) < 256) return 9;
  if (f->flags & 4) return 10;
  return 0;
}

static u32 count[16];

PROGRAM(bench) {
  PACKET(packet);
  u32 sum = 0;
  for (u32 i = 0; i < 128; i++) {
    u32 v = verdict((const struct flow*)(packet + i * 16));
    count[v & 15] = i;
    sum = sum * 11 + v;
  }
  return (s32)(sum + count[3]);
}

#ifndef __bpf__
void prepare(u8* packet) {
  fill_random(packet, kPacket);
  for (u32 i = 0; i < 128; i++) packet[i * 16 + 12] = i % 3 == 0 ? 6 : i % 3 == 1 ? 17 : 1;
}
#endif
