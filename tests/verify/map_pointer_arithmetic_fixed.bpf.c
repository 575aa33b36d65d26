#include "common.h"

SEC("xdp")
int past(struct xdp_md* ctx) {
  void* map = &entries;
  __u32 key = 1;
  return bpf_map_lookup_elem(map, &key) ? XDP_PASS : XDP_DROP;
}
LICENSE("GPL");
