#include "common.h"

SEC("socket")
int copy(struct __sk_buff* skb) {
  char buffer[64] = {};
  __u64 size = bpf_ktime_get_ns();
  if (size > sizeof buffer) return 0;
  bpf_skb_load_bytes(skb, 0, buffer, size);
  return buffer[0];
}
LICENSE("GPL");
