// Bloom filters. What was never added may be found or not, so nobody asks for that.
#include "operations.h"

struct {
  __uint(type, MAP_TYPE);
  __uint(max_entries, ENTRIES);
  __type(value, struct value);
} map SEC(".maps");

INLINE struct value element(u64 number) { return value_of(scattered(number)); }
INLINE s64 add(u64 number) {
  struct value value = element(number);
  return bpf_map_push_elem(&map, &value, BPF_ANY);
}
INLINE s64 ask(u64 number) {
  struct value value = element(number);
  return bpf_map_peek_elem(&map, &value);
}
INLINE u64 baseline_step(u64 number) {
  struct value value = element(number);
  LOOKED_AT(&value);
  return number;
}

FILL_PROGRAM(add)
PROGRAM_OF_STEPS(baseline, kOperations, sum += baseline_step(number))
PROGRAM_OF_STEPS(hit, kOperations, sum = sum * 3 + (u64)ask(number))
PROGRAM_OF_STEPS(add_again, kOperations, sum = sum * 3 + (u64)add(number))
