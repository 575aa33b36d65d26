#include "common.h"

SEC("xdp")
int packet_read(struct xdp_md* ctx) {
  unsigned char* data = (void*)(long)ctx->data;
  void* data_end = (void*)(long)ctx->data_end;
  if ((void*)(data + 15) > data_end) return XDP_DROP;
  return data[14];
}
LICENSE("GPL");
