// Small subprograms calling each other, four frames deep, with a little stack each.
#include "program.h"

CALLED u64 outer(u64 a, u64 b);
CALLED u64 middle(u64 a, u64 b);
CALLED u64 inner(const u64* pair);
CALLED u64 leaf(u64 x);

u64 bench(void* memory, u64 length) {
  const u64* word = memory;
  u64 sum = 0;
  for (u64 i = 0; i + 1 < length / 8; i++) sum = outer(word[i], sum) + i;
  return sum;
}

CALLED u64 outer(u64 a, u64 b) { return middle(a ^ b, a + 1) + middle(b, a); }

CALLED u64 middle(u64 a, u64 b) {
  volatile u64 pair[2] = {a, b};
  return inner((const u64*)pair) ^ a;
}

CALLED u64 inner(const u64* pair) { return leaf(pair[0]) + leaf(pair[1]); }

CALLED u64 leaf(u64 x) {
  asm volatile("" : "+r"(x));
  return x * 3 + 1;
}

#ifndef __bpf__
void prepare(void* memory, u64 length) { fill_random(memory, length); }
#endif
