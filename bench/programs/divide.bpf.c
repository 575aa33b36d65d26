// 64-bit division and remainder: greatest common divisors, and digits of numbers.
#include "program.h"

u64 bench(void* memory, u64 length) {
  const u64* word = memory;
  u64 sum = 0;
  for (u64 i = 0; i + 1 < length / 8; i += 2) {
    u64 a = word[i], b = word[i + 1] >> 20 | 1;
    while (b) {
      u64 rest = a % b;
      a = b;
      b = rest;
    }
    u64 digits = 0, divisor = 10 + (i & 7);
    for (u64 n = word[i]; n; n /= divisor) digits++;
    sum += a * 100 + digits;
  }
  return sum;
}

#ifndef __bpf__
void prepare(void* memory, u64 length) { fill_random(memory, length); }
#endif
