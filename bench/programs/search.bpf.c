// Binary searches in a sorted table of 32-bit range starts: a routing table in an array.
#include "program.h"

u64 bench(void* memory, u64 length) {
  const u32* start = memory;
  u64 size = length / 4, sum = 0;
  u32 address = 12345;
  for (int i = 0; i < 500; i++) {
    address = address * 1664525 + 1013904223;
    u64 low = 0, high = size;
    while (high - low > 1) {
      u64 middle = (low + high) / 2;
      if (start[middle] <= address) {
        low = middle;
      } else {
        high = middle;
      }
    }
    sum = sum * 3 + low;
  }
  return sum;
}

#ifndef __bpf__
void prepare(void* memory, u64 length) {
  u64 size = length / 4, state = 7;
  for (u64 i = 0; i < size; i++)
    ((u32*)memory)[i] = (u32)(0xffffffffULL / size * i + next_random(&state) % 1000 * (i > 0));
}
#endif
