#include "common.h"

SEC("xdp")
int packet_read(struct xdp_md* ctx) {
  unsigned char* data = (void*)(long)ctx->data;
  return data[14];
}
LICENSE("GPL");
