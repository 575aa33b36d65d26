#include "common.h"

SEC("xdp")
int jump(struct xdp_md* ctx) {
  unsigned char* data = (void*)(long)ctx->data;
  unsigned char* data_end = (void*)(long)ctx->data_end;
  __u64 offset = bpf_ktime_get_ns() & 0xff;
  data += offset;
  if (data + 1 > data_end) return XDP_DROP;
  return *data ? XDP_PASS : XDP_DROP;
}
LICENSE("GPL");
