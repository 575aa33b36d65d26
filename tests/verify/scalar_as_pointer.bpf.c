#include "common.h"

SEC("xdp")
int follow(struct xdp_md* ctx) {
  __u32 key = 1;
  struct entry* entry = bpf_map_lookup_elem(&entries, &key);
  if (!entry) return XDP_PASS;
  struct entry* next = (void*)entry->packets;
  return next->slots[0] == 0 ? XDP_PASS : XDP_DROP;
}
LICENSE("GPL");
