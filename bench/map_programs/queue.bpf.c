// Queues and stacks.
#include "operations.h"

struct {
  __uint(type, MAP_TYPE);
  __uint(max_entries, ENTRIES);
  __type(value, struct value);
} map SEC(".maps");

INLINE s64 push(u64 number) {
  struct value value = value_of(number);
  return bpf_map_push_elem(&map, &value, BPF_ANY);
}
INLINE u64 pop(void) {
  struct value value = {};
  bpf_map_pop_elem(&map, &value);
  return value.word[0];
}
INLINE u64 baseline_step(u64 number) {
  struct value value = value_of(number);
  LOOKED_AT(&value);
  return number;
}

FILL_PROGRAM(push)
PROGRAM_OF_STEPS(baseline, kOperations / 2, sum += baseline_step(number))
PROGRAM_OF_STEPS(pop_push, kOperations / 2, sum = sum * 3 + pop() + (u64)push(number))
