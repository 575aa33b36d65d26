#include "common.h"

SEC("xdp")
int slot(struct xdp_md* ctx) {
  __u32 key = 1;
  struct entry* entry = bpf_map_lookup_elem(&entries, &key);
  if (!entry) return XDP_PASS;
  long index = (long)(ctx->rx_queue_index & 15) - 5;
  if (index >= 16) return XDP_PASS;
  return entry->slots[index] == 0 ? XDP_PASS : XDP_DROP;
}
LICENSE("GPL");
