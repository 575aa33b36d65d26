// Bob Jenkins' lookup3 over 40-byte flow keys.
#include "program.h"

INLINE u32 rotate(u32 x, int by) { return x << by | x >> (32 - by); }

INLINE u32 hash_key(const u32* key) {
  u32 a = 0xdeadbeef + 40, b = a, c = a;
  for (int left = 10; left > 3; left -= 3, key += 3) {
    a += key[0], b += key[1], c += key[2];
    a -= c, a ^= rotate(c, 4), c += b;
    b -= a, b ^= rotate(a, 6), a += c;
    c -= b, c ^= rotate(b, 8), b += a;
    a -= c, a ^= rotate(c, 16), c += b;
    b -= a, b ^= rotate(a, 19), a += c;
    c -= b, c ^= rotate(b, 4), b += a;
  }
  a += key[0];
  c ^= b, c -= rotate(b, 14);
  a ^= c, a -= rotate(c, 11);
  b ^= a, b -= rotate(a, 25);
  c ^= b, c -= rotate(b, 16);
  a ^= c, a -= rotate(c, 4);
  b ^= a, b -= rotate(a, 14);
  c ^= b, c -= rotate(b, 24);
  return c;
}

PROGRAM(bench) {
  PACKET(packet);
  u32 sum = 0;
  for (u32 i = 0; i < 50; i++) sum += hash_key((const u32*)(packet + i * 40));
  return (s32)sum;
}

#ifndef __bpf__
void prepare(u8* packet) { fill_random(packet, kPacket); }
#endif
