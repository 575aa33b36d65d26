// Bob Jenkins' lookup3 over 40-byte flow keys.
#include "program.h"

INLINE u32 rotate(u32 x, int by) { return x << by | x >> (32 - by); }

CALLED u32 hash_key(const u32* key);

u64 bench(void* memory, u64 length) {
  u64 sum = 0;
  for (u64 at = 0; at + 40 <= length; at += 40) sum += hash_key((const u32*)((u8*)memory + at));
  return sum;
}

CALLED u32 hash_key(const u32* key) {
  u32 a = 0xdeadbeef + 40, b = a, c = a;
  int left = 10;
  while (left > 3) {
    a += key[0], b += key[1], c += key[2];
    a -= c, a ^= rotate(c, 4), c += b;
    b -= a, b ^= rotate(a, 6), a += c;
    c -= b, c ^= rotate(b, 8), b += a;
    a -= c, a ^= rotate(c, 16), c += b;
    b -= a, b ^= rotate(a, 19), a += c;
    c -= b, c ^= rotate(b, 4), b += a;
    key += 3, left -= 3;
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

#ifndef __bpf__
void prepare(void* memory, u64 length) { fill_random(memory, length); }
#endif
