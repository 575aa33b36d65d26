#include "common.h"

SEC("xdp")
int follow(struct xdp_md* ctx) {
  __u32 key = 1;
  struct entry* entry = bpf_map_lookup_elem(&entries, &key);
  if (!entry) return XDP_PASS;
  __u32 next_key = entry->slots[0];
  struct entry* next = bpf_map_lookup_elem(&entries, &next_key);
  if (!next) return XDP_PASS;
  return next->slots[0] == 0 ? XDP_PASS : XDP_DROP;
}
LICENSE("GPL");
