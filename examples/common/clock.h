// The time an example program goes by. It is the kernel's monotonic clock, unless `fixed_now` is set: then the clock
// starts there and advances by `fixed_step` nanoseconds with each reading, so that two runs over the same packets
// agree.
#pragma once

#include <linux/types.h>

#include <bpf/bpf_helpers.h>

const volatile __u64 fixed_now = 0;
const volatile __u64 fixed_step = 0;
__u64 clock_reads = 0;

static __always_inline __u64 clock_now(void) {
  if (!fixed_now) return bpf_ktime_get_ns();
  return fixed_now + fixed_step * __sync_fetch_and_add(&clock_reads, 1);
}
