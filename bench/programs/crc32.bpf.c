// CRC-32 by table: the first KiB of memory is the table, the rest the data.
#include "program.h"

u64 bench(void* memory, u64 length) {
  const u32* table = memory;
  u32 crc = 0xffffffff;
  for (u64 i = 1024; i < length; i++) crc = crc >> 8 ^ table[(crc ^ ((u8*)memory)[i]) & 0xff];
  return ~crc;
}

#ifndef __bpf__
void prepare(void* memory, u64 length) {
  fill_random(memory, length);
  for (u32 n = 0; n < 256; n++) {
    u32 value = n;
    for (int bit = 0; bit < 8; bit++) value = value >> 1 ^ (value & 1 ? 0xedb88320 : 0);
    ((u32*)memory)[n] = value;
  }
}
#endif
