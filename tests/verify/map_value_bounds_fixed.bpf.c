#include "common.h"

SEC("xdp")
int beyond(struct xdp_md* ctx) {
  __u32 key = 1;
  struct entry* entry = bpf_map_lookup_elem(&entries, &key);
  if (!entry) return XDP_PASS;
  return ((__u64*)entry)[8] == 0 ? XDP_PASS : XDP_DROP;
}
LICENSE("GPL");
