#include "common.h"

SEC("xdp")
int wrong_key(struct xdp_md* ctx) {
  __u32 key = ctx->rx_queue_index;
  struct entry* entry = bpf_map_lookup_elem(&entries, &key);
  return entry ? XDP_PASS : XDP_DROP;
}
LICENSE("GPL");
