// Ring buffers: records reserved, written and submitted.
#include "operations.h"

struct {
  __uint(type, MAP_TYPE);
  __uint(max_entries, ENTRIES);
} map SEC(".maps");

INLINE u64 submit(u64 number, u64 flags) {
  struct value* record = bpf_ringbuf_reserve(&map, sizeof *record, 0);
  if (!record) return 1;
  *record = value_of(number);
  bpf_ringbuf_submit(record, flags);
  return number;
}
INLINE u64 baseline_step(u64 number) {
  struct value value = value_of(number);
  LOOKED_AT(&value);
  return number;
}
INLINE s64 no_elements(u64 number) { return 0; }

FILL_PROGRAM(no_elements)
PROGRAM_OF_STEPS(baseline, kRingOperations, sum += baseline_step(number))
PROGRAM_OF_STEPS(submit_quietly, kRingOperations, sum = sum * 3 + submit(number, BPF_RB_NO_WAKEUP))
PROGRAM_OF_STEPS(submit_waking, kRingOperations, sum = sum * 3 + submit(number, BPF_RB_FORCE_WAKEUP))
