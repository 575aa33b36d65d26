// A map whose value has a lock.
#pragma once
#include "common.h"

struct locked {
  struct bpf_spin_lock lock;
  __u32 number;
};
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 4);
  __type(key, __u32);
  __type(value, struct locked);
} locks SEC(".maps");
