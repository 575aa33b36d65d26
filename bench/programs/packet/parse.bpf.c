// Ethernet, VLAN, IPv4 and TCP or UDP headers of packets in 128-byte slots; what a filter looks at.
#include "program.h"

INLINE u16 be16(const u8* at) { return (u16)(at[0] << 8 | at[1]); }
INLINE u32 be32(const u8* at) { return (u32)be16(at) << 16 | be16(at + 2); }

INLINE u64 parse(const u8* packet) {
  u32 at = 14;
  u16 type = be16(packet + 12);
  if (type == 0x8100 || type == 0x88a8) type = be16(packet + 16), at = 18;
  if (type != 0x0800) return 2;
  const u8* ip = at == 14 ? packet + 14 : packet + 18;
  if (ip[0] >> 4 != 4) return 3;
  if ((ip[0] & 15) != 5) return 4;
  if (be16(ip + 6) & 0x1fff) return 5;
  u64 key = (u64)be32(ip + 12) << 32 | be32(ip + 16);
  if (ip[9] == 6) return key ^ be32(ip + 20) ^ ip[33];
  if (ip[9] == 17) return key ^ be32(ip + 20) ^ be16(ip + 24);
  return key;
}

PROGRAM(bench) {
  PACKET(packet);
  u64 sum = 0;
  for (u32 i = 0; i < 16; i++) sum = sum * 31 + parse(packet + i * 128);
  return (u32)(sum ^ sum >> 32);
}

#ifndef __bpf__
void prepare(u8* packet) {
  fill_random(packet, kPacket);
  for (u32 n = 0; n < 16; n++) {
    u8* p = packet + n * 128;
    u32 ip = n % 4 == 1 ? 18 : 14;
    if (n % 4 == 1) p[12] = 0x81, p[13] = 0x00;
    p[ip - 2] = 0x08, p[ip - 1] = 0x00;
    p[ip] = n % 8 == 3 ? 0x46 : 0x45;
    p[ip + 6] = p[ip + 7] = 0;
    p[ip + 9] = n % 3 ? 6 : 17;
  }
}
#endif
