#include "common.h"

SEC("xdp")
int sum(struct xdp_md* ctx) {
  long data = (long)ctx->data, end = (long)ctx->data_end;
  asm volatile("%0 += %1" : "+r"(data) : "r"(end));
  return data & 1 ? XDP_PASS : XDP_DROP;
}
LICENSE("GPL");
