#include "common.h"

SEC("xdp")
int who(struct xdp_md* ctx) {
  char buffer[8] = {};
  bpf_skb_load_bytes(ctx, 0, buffer, sizeof buffer);
  return buffer[0] ? XDP_PASS : XDP_DROP;
}
LICENSE("GPL");
