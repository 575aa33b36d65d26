// Heapsort of 32-bit numbers.
#include "program.h"

INLINE void sift(u32* heap, u64 at, u64 size) {
  u32 value = heap[at];
  for (u64 child; (child = at * 2 + 1) < size; at = child) {
    if (child + 1 < size && heap[child + 1] > heap[child]) child++;
    if (heap[child] <= value) break;
    heap[at] = heap[child];
  }
  heap[at] = value;
}

u64 bench(void* memory, u64 length) {
  u32* heap = memory;
  u64 size = length / 4, inversions = 0;
  for (u64 i = size / 2; i-- > 0;) sift(heap, i, size);
  for (u64 i = size; i-- > 1;) {
    u32 largest = heap[0];
    heap[0] = heap[i];
    heap[i] = largest;
    sift(heap, 0, i);
  }
  for (u64 i = 1; i < size; i++) inversions += heap[i - 1] > heap[i];
  return inversions << 32 | heap[size / 2];
}

#ifndef __bpf__
void prepare(void* memory, u64 length) { fill_random(memory, length); }
#endif
