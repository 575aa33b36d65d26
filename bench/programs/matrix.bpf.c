// Integer matrix product: the first two thirds of memory are the factors, the rest the product.
#include "program.h"

#define N 24

u64 bench(void* memory, u64 length) {
  const s64* a = memory;
  const s64* b = a + N * N;
  s64* product = (s64*)memory + 2 * N * N;
  if (length < 3 * N * N * sizeof(s64)) return 0;
  s64 trace = 0;
  for (u64 i = 0; i < N; i++) {
    for (u64 j = 0; j < N; j++) {
      s64 sum = 0;
      for (u64 k = 0; k < N; k++) sum += a[i * N + k] * b[k * N + j];
      product[i * N + j] = sum;
    }
    trace += product[i * N + i];
  }
  return (u64)trace;
}

#ifndef __bpf__
void prepare(void* memory, u64 length) { fill_random(memory, length); }
#endif
