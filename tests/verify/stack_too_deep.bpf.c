#include "common.h"

static __attribute__((noinline)) int fill(struct __sk_buff* skb) {
  char buffer[300] = {};
  bpf_skb_load_bytes(skb, 0, buffer, sizeof buffer);
  return buffer[5];
}

SEC("socket")
int two_buffers(struct __sk_buff* skb) {
  char buffer[300] = {};
  bpf_skb_load_bytes(skb, 0, buffer, sizeof buffer);
  return fill(skb) + buffer[5];
}
LICENSE("GPL");
