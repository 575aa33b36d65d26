// Packets and bytes by what was decided of them. The program that includes it has an `enum reason` whose last value,
// REASONS, is their number.
#pragma once

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct counter {
  __u64 packets;
  __u64 bytes;
};

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, REASONS);
  __type(key, __u32);  // enum reason
  __type(value, struct counter);
} counters SEC(".maps");

static __always_inline void count_packet(enum reason reason, __u64 bytes) {
  struct counter* counter = bpf_map_lookup_elem(&counters, &reason);
  if (!counter) return;
  counter->packets++;
  counter->bytes += bytes;
}
