// Eratosthenes: a byte for each number.
#include "program.h"

u64 bench(void* memory, u64 length) {
  u8* composite = memory;
  u64 primes = 0;
  for (u64 n = 2; n < length; n++) {
    if (composite[n]) continue;
    primes++;
    for (u64 m = n * n; m < length; m += n) composite[m] = 1;
  }
  return primes;
}

#ifndef __bpf__
void prepare(void* memory, u64 length) {
  for (u64 i = 0; i < length; i++) ((u8*)memory)[i] = 0;
}
#endif
