// The Internet checksum over 1500-byte packets, 32 bits at a time.
#include "program.h"

u64 bench(void* memory, u64 length) {
  u64 all = 0;
  for (u64 at = 0; at + 1500 <= length; at += 1500) {
    const u32* word = (const u32*)((u8*)memory + at);
    u64 sum = 0;
    for (int i = 0; i < 375; i++) sum += word[i];
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    all = all * 7 + (~sum & 0xffff);
  }
  return all;
}

#ifndef __bpf__
void prepare(void* memory, u64 length) { fill_random(memory, length); }
#endif
