// Copies records of odd sizes from the first half of memory to the second: words, then the bytes that are left.
#include "program.h"

INLINE void copy(u8* to, const u8* from, u64 bytes) {
  for (; bytes >= 8; bytes -= 8, to += 8, from += 8) *(volatile u64*)to = *(const u64*)from;
  for (; bytes; bytes--) *(volatile u8*)to++ = *from++;
}

u64 bench(void* memory, u64 length) {
  u64 half = length / 2, at = 0, records = 0;
  for (u64 size = 13; at + size <= half; at += size, records++) {
    copy((u8*)memory + half + at, (u8*)memory + at, size);
    size = size * 5 % 241 + 8;
  }
  return records * 1000003 + ((u8*)memory)[half + at / 2];
}

#ifndef __bpf__
void prepare(void* memory, u64 length) { fill_random(memory, length); }
#endif
