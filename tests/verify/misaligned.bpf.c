#include "common.h"

SEC("xdp")
int unaligned(struct xdp_md* ctx) {
  __u32 key = 1;
  struct entry* entry = bpf_map_lookup_elem(&entries, &key);
  if (!entry) return XDP_PASS;
  __sync_fetch_and_add((__u64*)((char*)entry + 2), 1);
  return XDP_PASS;
}
LICENSE("GPL");
