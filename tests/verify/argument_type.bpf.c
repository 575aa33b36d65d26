#include "common.h"

SEC("xdp")
int wrong_key(struct xdp_md* ctx) {
  struct entry* entry = bpf_map_lookup_elem(&entries, (void*)(long)ctx->rx_queue_index);
  return entry ? XDP_PASS : XDP_DROP;
}
LICENSE("GPL");
