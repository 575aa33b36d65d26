// A router's work on 16 frames: MAC addresses, TTL, the header's checksum, and an address translated.
#include "program.h"

struct ethernet {
  u8 to[6], from[6];
  u16 type;
} __attribute__((packed));
struct ipv4 {
  u8 version, service;
  u16 length, id, fragment;
  u8 ttl, protocol;
  u16 checksum;
  u32 from, to;
} __attribute__((packed));

PROGRAM(bench) {
  PACKET(packet);
  u32 sum = 0;
  for (u32 i = 0; i < 16; i++) {
    struct ethernet* eth = (struct ethernet*)(packet + i * 128);
    struct ipv4* ip = (struct ipv4*)(eth + 1);
    if (eth->type != 0x0008 || ip->version != 0x45 || ip->ttl == 0) continue;
    u8 old[6];
    __builtin_memcpy(old, eth->to, 6);
    __builtin_memcpy(eth->to, eth->from, 6);
    __builtin_memcpy(eth->from, old, 6);
    u32 check = (u32)(u16)~ip->checksum, address = ip->to;
    ip->ttl = ip->ttl == 1 ? 64 : ip->ttl - 1;
    ip->to = address ^ 0x01000000;
    check += (u16)~address + (u16) ~(address >> 16) + (u16)ip->to + (u16)(ip->to >> 16) + 0xfffe;
    check = (check & 0xffff) + (check >> 16);
    check = (check & 0xffff) + (check >> 16);
    ip->checksum = (u16)~check;
    sum += ip->checksum;
  }
  return (s32)sum;
}

#ifndef __bpf__
void prepare(u8* packet) {
  fill_random(packet, kPacket);
  for (u32 n = 0; n < 16; n++) {
    u8* p = packet + n * 128;
    p[12] = 8, p[13] = 0, p[14] = 0x45, p[22] = 64;
  }
}
#endif
