// Ethernet, VLAN, IPv4 and TCP or UDP headers of packets in 128-byte slots; what a filter looks at.
#include "program.h"

INLINE u16 be16(const u8* at) { return (u16)(at[0] << 8 | at[1]); }
INLINE u32 be32(const u8* at) { return (u32)be16(at) << 16 | be16(at + 2); }

INLINE u64 parse(const u8* packet, const u8* end) {
  const u8* at = packet + 14;
  u16 type = be16(packet + 12);
  for (int i = 0; i < 2 && (type == 0x8100 || type == 0x88a8); i++) {
    if (at + 4 > end) return 1;
    type = be16(at + 2);
    at += 4;
  }
  if (type != 0x0800) return 2;
  if (at + 20 > end || at[0] >> 4 != 4) return 3;
  u32 header = (at[0] & 15) * 4u;
  if (header < 20 || at + header > end) return 4;
  if (be16(at + 6) & 0x1fff) return 5;
  u64 key = (u64)be32(at + 12) << 32 | be32(at + 16);
  const u8* transport = at + header;
  if (at[9] == 6) {
    if (transport + 20 > end) return 6;
    return key ^ be32(transport) ^ transport[13];
  }
  if (at[9] == 17) {
    if (transport + 8 > end) return 7;
    return key ^ be32(transport) ^ be16(transport + 4);
  }
  return key;
}

u64 bench(void* memory, u64 length) {
  u64 sum = 0;
  for (u64 at = 0; at + 128 <= length; at += 128) sum = sum * 31 + parse((u8*)memory + at, (u8*)memory + at + 128);
  return sum;
}

#ifndef __bpf__
void prepare(void* memory, u64 length) {
  fill_random(memory, length);
  for (u64 at = 0; at + 128 <= length; at += 128) {
    u8* p = (u8*)memory + at;
    u64 n = at / 128, l3 = 14;
    p[12] = 0x08;
    p[13] = 0x00;
    if (n % 4 == 1) {  // a tag
      p[12] = 0x81;
      p[16] = 0x08;
      p[17] = 0x00;
      l3 = 18;
    }
    p[l3] = n % 8 == 3 ? 0x46 : 0x45;
    p[l3 + 6] = p[l3 + 7] = 0;
    p[l3 + 9] = n % 3 ? 6 : 17;
  }
}
#endif
