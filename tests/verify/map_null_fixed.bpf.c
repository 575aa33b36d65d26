#include "common.h"

SEC("xdp")
int count(struct xdp_md* ctx) {
  __u32 key = 1;
  struct entry* entry = bpf_map_lookup_elem(&entries, &key);
  if (!entry) return XDP_PASS;
  entry->packets++;
  return XDP_PASS;
}
LICENSE("GPL");
