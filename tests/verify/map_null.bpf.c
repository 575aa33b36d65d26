#include "common.h"

SEC("xdp")
int count(struct xdp_md* ctx) {
  __u32 key = 1;
  struct entry* entry = bpf_map_lookup_elem(&entries, &key);
  entry->packets++;
  return XDP_PASS;
}
LICENSE("GPL");
